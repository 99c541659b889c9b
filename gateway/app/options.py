"""The settings of the daemon itself, and of the Asterisk that it configures."""

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


class TrunkOptions(Options, frozen=True, kw_only=True):
    """The way to the public network, for the Asterisk whose configuration is generated."""

    host: Annotated[str, Meta(description="Where outgoing calls are sent: a host name or an IPv4 address.")] = (
        "127.0.0.2"
    )
    port: Annotated[int, Meta(ge=1, le=65535, description="Its SIP port.")] = 5060
    sources: Annotated[
        tuple[str, ...], Meta(description="Addresses or networks that incoming calls of the trunk come from.")
    ] = ("127.0.0.2",)


class AsteriskServerOptions(Options, frozen=True, kw_only=True):
    """The Asterisk whose configuration is generated: by `trunkline prepare asterisk`, and for `make run`."""

    SECTION: ClassVar[str] = "asterisk.server"

    sip_address: Annotated[str, Meta(description="IPv4 address to take SIP on; 0.0.0.0 for every interface.")] = (
        "127.0.0.1"
    )
    sip_port: Annotated[int, Meta(ge=1, le=65535, description="SIP port (UDP).")] = 5060
    rtp_first_port: Annotated[int, Meta(ge=1024, le=65000, description="First port of speech.")] = 10000
    rtp_last_port: Annotated[int, Meta(ge=1124, le=65535, description="Last port of speech.")] = 20000
    trunk: Annotated[TrunkOptions, Meta(description="The way to the public network.")] = TrunkOptions()
