"""The settings of the daemon itself, and the list of all sections."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from gateway.core.options import Options


class GatewayOptions(Options, frozen=True, kw_only=True):
    """The daemon itself."""

    SECTION: ClassVar[str] = "gateway"

    state_dir: Annotated[
        str,
        Meta(description="Folder of everything that is kept. Empty: $STATE_DIRECTORY, else the XDG state folder."),
    ] = ""
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], Meta(description="The least severe lines that are logged.")
    ] = "INFO"
    log_format: Annotated[
        Literal["json", "text"], Meta(description="One JSON object a line, or text for a terminal.")
    ] = "json"
    stop_grace_s: Annotated[float, Meta(gt=0, le=60, description="How long each part may take to stop, seconds.")] = 5.0
