"""What can be done with short messages from outside."""

from typing import Annotated, Any, Literal

import msgspec

from gateway.commands.spec import BoundCommand, CommandContext, CommandSpec
from gateway.core.events import Message
from gateway.core.text import Text
from sms.rules import Priority
from sms.service import RESOURCE, SmsJob, SmsRecipientView, SmsService

Number = Annotated[str, msgspec.Meta(pattern=r"^\+?[0-9*#]{1,20}$")]
Id = Annotated[str, msgspec.Meta(pattern="^[0-9a-z]{26}$")]


class SmsSend(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Send a text. ``flash`` is shown at once and not kept; after ``not_after_s`` it is not sent any more."""

    to: Annotated[tuple[Number, ...], msgspec.Meta(min_length=1, max_length=1000)]
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)]
    priority: Literal["alarm", "normal"] = "normal"
    flash: bool = False
    report: bool = True
    not_after_s: Annotated[float, msgspec.Meta(ge=60, le=604_800)] = 3600.0


class SmsOfJob(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name a job."""

    id: Id


class SmsCancelled(Message, frozen=True, kw_only=True):
    """How many segments were taken back."""

    segments: int


class SmsJobState(Message, frozen=True, kw_only=True):
    """How it stands with each recipient."""

    recipients: tuple[SmsRecipientView, ...]


SEND = CommandSpec(
    name="sms.send",
    body=SmsSend,
    result=SmsJob,
    summary=Text("Queue a text message.", "发送短信（进入队列）。"),
    resource=lambda _: RESOURCE,
)
CANCEL = CommandSpec(
    name="sms.cancel",
    body=SmsOfJob,
    result=SmsCancelled,
    summary=Text("Take back what no modem has seen yet.", "取消尚未发出的短信。"),
    resource=lambda _: RESOURCE,
)
STATE = CommandSpec(
    name="sms.state",
    body=SmsOfJob,
    result=SmsJobState,
    summary=Text("Ask how it stands with each recipient.", "查询每个收件人的状态。"),
    resource=lambda _: RESOURCE,
)


def commands(service: SmsService) -> list[BoundCommand[Any, Any]]:
    """Bind the commands to *service*."""

    async def send(body: SmsSend, context: CommandContext) -> SmsJob:
        return await service.send(
            text=body.text,
            recipients=body.to,
            principal=context.principal,
            priority=Priority[body.priority.upper()],
            message_class=0 if body.flash else None,
            report=body.report,
            not_after_s=body.not_after_s,
            request=f"{context.principal}/{context.command_id}",
            incident=context.incident,
        )

    async def cancel(body: SmsOfJob, context: CommandContext) -> SmsCancelled:
        return SmsCancelled(segments=await service.cancel(body.id, principal=context.principal))

    async def state(body: SmsOfJob, context: CommandContext) -> SmsJobState:
        context.principal.require("sms.state", RESOURCE)
        return SmsJobState(recipients=tuple(await service.recipients(body.id)))

    return [BoundCommand(SEND, send), BoundCommand(CANCEL, cancel), BoundCommand(STATE, state)]
