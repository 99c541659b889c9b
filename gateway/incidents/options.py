"""Settings of incidents."""

from typing import Annotated, ClassVar

import msgspec

from gateway.core.options import Options


class IncidentOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[incidents]``."""

    SECTION: ClassVar[str] = "incidents"

    index_links: Annotated[
        int,
        msgspec.Meta(ge=1000, le=1_000_000, description="How many of the latest links are kept in memory for events."),
    ] = 50_000
