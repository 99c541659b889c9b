"""What can be done with incidents from outside."""

from typing import Annotated, Any

import msgspec

from gateway.commands.spec import BoundCommand, CommandContext, CommandSpec
from gateway.core.events import Message
from gateway.core.text import Text
from gateway.incidents.service import IncidentService

Id = Annotated[str, msgspec.Meta(pattern="^[0-9a-z]{26}$")]
Aggregate = Annotated[str, msgspec.Meta(pattern="^[a-z_]{1,32}:[A-Za-z0-9._-]{1,90}$")]
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class IncidentOpen(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Open an incident; ``number`` is the one that another system gave it."""

    title: Line
    kind: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    number: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    aggregates: Annotated[tuple[Aggregate, ...], msgspec.Meta(max_length=64)] = ()


class IncidentClose(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Close an incident."""

    id: Id


class IncidentLink(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tie an aggregate (``call:<id>``, ``fax:<id>``) to an incident."""

    id: Id
    aggregate: Aggregate


class IncidentNote(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Write a note on an incident."""

    id: Id
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]


class IncidentRef(Message, frozen=True, kw_only=True):
    """The incident that the command was about, and the note where one was written."""

    id: str
    note: str | None = None


OPEN = CommandSpec(
    name="ops.incident_open", body=IncidentOpen, result=IncidentRef, summary=Text("Open an incident.", "新建事件。")
)
CLOSE = CommandSpec(
    name="ops.incident_close", body=IncidentClose, result=IncidentRef, summary=Text("Close an incident.", "办结事件。")
)
LINK = CommandSpec(
    name="ops.incident_link",
    body=IncidentLink,
    result=IncidentRef,
    summary=Text("Tie something to an incident.", "关联到事件。"),
)
NOTE = CommandSpec(
    name="ops.incident_note",
    body=IncidentNote,
    result=IncidentRef,
    summary=Text("Write a note on an incident.", "为事件添加备注。"),
)


def commands(service: IncidentService) -> list[BoundCommand[Any, Any]]:
    """Bind the commands to *service*."""

    async def open_(body: IncidentOpen, context: CommandContext) -> IncidentRef:
        record = await service.open(
            title=body.title,
            kind=body.kind,
            number=body.number,
            aggregates=body.aggregates,
            principal=context.principal,
        )
        return IncidentRef(id=record.id)

    async def close(body: IncidentClose, context: CommandContext) -> IncidentRef:
        record = await service.close(body.id, principal=context.principal)
        return IncidentRef(id=record.id)

    async def link(body: IncidentLink, context: CommandContext) -> IncidentRef:
        await service.link(body.id, body.aggregate, principal=context.principal)
        return IncidentRef(id=body.id)

    async def note(body: IncidentNote, context: CommandContext) -> IncidentRef:
        record = await service.note(body.id, body.text, principal=context.principal)
        return IncidentRef(id=body.id, note=record.id)

    return [BoundCommand(OPEN, open_), BoundCommand(CLOSE, close), BoundCommand(LINK, link), BoundCommand(NOTE, note)]
