"""What can be done about alarms from outside."""

from typing import Annotated, Any, Literal

import msgspec

from gateway.alarms.rules import AlarmState
from gateway.alarms.service import AlarmService
from gateway.commands.spec import BoundCommand, CommandContext, CommandSpec
from gateway.core.alarm import Condition, Severity
from gateway.core.errors import InvalidInputError
from gateway.core.events import Message
from gateway.core.text import Text

Id = Annotated[str, msgspec.Meta(pattern="^[0-9a-z]{26}$")]
Level = Annotated[str, msgspec.Meta(pattern="^[a-z0-9_-]{1,32}$")]
Why = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Says = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class AlarmAck(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Acknowledge alarms by their ids, or all of a source; exactly one of the two."""

    ids: Annotated[tuple[Id, ...], msgspec.Meta(max_length=500)] = ()
    source: Level | None = None
    note: Annotated[str, msgspec.Meta(max_length=200)] = ""


class AlarmShelve(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Put an alarm aside for a time."""

    id: Id
    for_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)]
    why: Why


class AlarmUnshelve(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take a shelved alarm back."""

    id: Id


class AlarmRaise(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Raise an alarm from another system; its key is its own, it cannot meet the gateway's."""

    key: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9._:-]{1,64}$")]
    severity: Literal["notice", "warning", "major", "critical"]
    source: Level
    text_en: Says
    text_zh: Says
    needs_acknowledgement: bool = True


class AlarmClear(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say that a condition is gone: a person who has seen it, or the system that raised it (by its own key)."""

    id: Id | None = None
    key: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9._:-]{1,64}$")] | None = None


class AlarmAnswer(Message, frozen=True, kw_only=True):
    """The alarms that the command was about; ``durable`` is false when the store was down and will catch up."""

    ids: tuple[str, ...]
    durable: bool


ACK = CommandSpec(
    name="ops.alarm_ack", body=AlarmAck, result=AlarmAnswer, summary=Text("Acknowledge alarms.", "确认告警。")
)
SHELVE = CommandSpec(
    name="ops.alarm_shelve", body=AlarmShelve, result=AlarmAnswer, summary=Text("Shelve an alarm.", "搁置告警。")
)
UNSHELVE = CommandSpec(
    name="ops.alarm_unshelve",
    body=AlarmUnshelve,
    result=AlarmAnswer,
    summary=Text("Take a shelved alarm back.", "取消搁置告警。"),
)
RAISE = CommandSpec(
    name="ops.alarm_raise",
    body=AlarmRaise,
    result=AlarmAnswer,
    summary=Text("Raise an alarm from another system.", "由其他系统发出告警。"),
    resource=lambda body: body.source,
)
CLEAR = CommandSpec(
    name="ops.alarm_clear",
    body=AlarmClear,
    result=AlarmAnswer,
    summary=Text("Say that an alarm's condition is gone.", "告警条件已消除。"),
)


def commands(service: AlarmService) -> list[BoundCommand[Any, Any]]:
    """Bind the commands to *service*."""

    async def ack(body: AlarmAck, context: CommandContext) -> AlarmAnswer:
        if bool(body.ids) == (body.source is not None):
            raise InvalidInputError(field="ids", reason="give ids or source, exactly one of them")
        ids = body.ids or tuple(
            alarm.id
            for alarm in service.active()
            if alarm.source == body.source and (alarm.waits or alarm.state is AlarmState.SHOWN)
        )
        durable = await service.acknowledge(ids, by=context.principal, note=body.note)
        return AlarmAnswer(ids=ids, durable=durable)

    async def shelve(body: AlarmShelve, context: CommandContext) -> AlarmAnswer:
        durable = await service.shelve(body.id, for_s=body.for_s, why=body.why, by=context.principal)
        return AlarmAnswer(ids=(body.id,), durable=durable)

    async def unshelve(body: AlarmUnshelve, context: CommandContext) -> AlarmAnswer:
        durable = await service.unshelve(body.id, by=context.principal)
        return AlarmAnswer(ids=(body.id,), durable=durable)

    async def raise_(body: AlarmRaise, context: CommandContext) -> AlarmAnswer:
        condition = Condition(
            key=_foreign(context, body.key),
            severity=Severity[body.severity.upper()],
            source=body.source,
            text=Text(body.text_en, body.text_zh),
            needs_acknowledgement=body.needs_acknowledgement,
            incident=context.incident,
        )
        alarm = await service.raise_alarm(condition)
        return AlarmAnswer(ids=() if alarm is None else (alarm.id,), durable=not service.journal.down)

    async def clear(body: AlarmClear, context: CommandContext) -> AlarmAnswer:
        if (body.id is None) == (body.key is None):
            raise InvalidInputError(field="id", reason="give id or key, exactly one of them")
        key = service.get(body.id).key if body.id is not None else _foreign(context, body.key or "")
        alarm = service.find_key(key)
        await service.clear_alarm(key, by=context.principal)
        return AlarmAnswer(ids=() if alarm is None else (alarm.id,), durable=not service.journal.down)

    return [
        BoundCommand(ACK, ack),
        BoundCommand(SHELVE, shelve),
        BoundCommand(UNSHELVE, unshelve),
        BoundCommand(RAISE, raise_),
        BoundCommand(CLEAR, clear),
    ]


def _foreign(context: CommandContext, key: str) -> str:
    return f"{context.principal.kind}.{context.principal.name}/{key}"[:128]
