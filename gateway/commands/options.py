"""Settings of the command dispatcher."""

from typing import Annotated, ClassVar

import msgspec

from gateway.core.options import Options


class CommandOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many commands at once, and how long they are remembered."""

    SECTION: ClassVar[str] = "commands"

    concurrent: Annotated[int, msgspec.Meta(ge=1, description="Commands that are carried out at the same time.")] = 64
    pending: Annotated[int, msgspec.Meta(ge=1, description="Commands accepted and not finished, of all.")] = 512
    pending_per_principal: Annotated[
        int, msgspec.Meta(ge=1, description="The same for one principal, so that none takes the place of the others.")
    ] = 32
    keep_days: Annotated[
        int, msgspec.Meta(ge=1, description="How long a finished command is remembered, against being sent again.")
    ] = 14
    stop_grace_s: Annotated[
        float, msgspec.Meta(gt=0, description="How long a cancelled command may take to let go of what it holds.")
    ] = 5.0
