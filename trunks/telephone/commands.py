"""What the switchboard can be told to do."""

from typing import Annotated, Any

import msgspec

from gateway.commands.spec import BoundCommand, CommandContext, CommandSpec
from gateway.core.events import Message
from gateway.core.text import Text
from trunks.telephone.options import LineName, PhoneNumber
from trunks.telephone.service import TelephoneService

_IMMEDIATE_S = 10.0


class Dial(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Dial ``number`` from a position's phone; without a position or line, free ones are taken."""

    number: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    position: PhoneNumber | None = None
    line: LineName | None = None


class DialAccepted(Message, frozen=True, kw_only=True):
    """Asterisk has taken the call on; how it goes on is told by its events."""

    call: str
    line: str
    position: str
    digits: str


class Hangup(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """End a call."""

    call: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]


class HungUp(Message, frozen=True, kw_only=True):
    """Asterisk has ended the call; its end is told by its event."""

    call: str
    line: str


DIAL = CommandSpec(
    name="tel.dial",
    body=Dial,
    result=DialAccepted,
    summary=Text("Dial a number", "拨打电话"),
    resource=lambda body: body.line or "*",
    max_ttl_s=_IMMEDIATE_S,
    default_ttl_s=_IMMEDIATE_S,
)
HANGUP = CommandSpec(
    name="tel.hangup",
    body=Hangup,
    result=HungUp,
    summary=Text("End a call", "挂断通话"),
    max_ttl_s=_IMMEDIATE_S,
    default_ttl_s=_IMMEDIATE_S,
)


def commands(service: TelephoneService) -> list[BoundCommand[Any, Any]]:
    """Bind the switchboard's commands to *service*."""

    async def dial(body: Dial, context: CommandContext) -> DialAccepted:
        call = await service.dial(
            body.number,
            position=body.position,
            line=body.line,
            dialled_by=str(context.principal),
            begin=context.begin_side_effect,
            incident=context.incident,
        )
        return DialAccepted(call=call.id, line=call.line, position=call.phone, digits=call.called)

    async def hangup(body: Hangup, context: CommandContext) -> HungUp:
        call = await service.hang_up(body.call, begin=context.begin_side_effect)
        return HungUp(call=call.id, line=call.line)

    return [BoundCommand(DIAL, dial), BoundCommand(HANGUP, hangup)]
