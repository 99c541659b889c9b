"""What can be done about documents from outside."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from gateway.archive.rules import Scope, Verdict
from gateway.archive.service import ArchiveService
from gateway.commands.spec import BoundCommand, CommandContext, CommandSpec
from gateway.core.events import Message
from gateway.core.text import Text

Id = Annotated[str, msgspec.Meta(pattern="^[0-9a-z]{26}$")]
Why = Annotated[str, msgspec.Meta(min_length=2, max_length=500)]
Time = Annotated[datetime, msgspec.Meta(tz=True)]
VERDICTS_TOLD = 500


class HoldAdd(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keep something whatever the rules say: by document, aggregate or incident (value), or by time."""

    scope: Scope
    reason: Why
    value: Annotated[str, msgspec.Meta(max_length=128)] = ""
    since: Time | None = None
    until: Time | None = None


class HoldEnd(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """End a hold."""

    id: Id
    why: Why


class HoldRef(Message, frozen=True, kw_only=True):
    """The hold."""

    id: str


class RetentionRun(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Delete what is due now; a dry run says only what that would be."""

    dry_run: bool = True


class RetentionAnswer(Message, frozen=True, kw_only=True):
    """How many documents were (or would be) deleted, and why, for the first five hundred."""

    count: int
    verdicts: tuple[Verdict, ...]


class DocumentDelete(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Delete a document by hand."""

    id: Id
    why: Why


class DocumentVerify(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read a document and compare it with its digest."""

    id: Id


class DocumentRef(Message, frozen=True, kw_only=True):
    """The document."""

    id: str


HOLD_ADD = CommandSpec(
    name="ops.hold_add", body=HoldAdd, result=HoldRef, summary=Text("Place a hold on documents.", "对文档实施保全。")
)
HOLD_END = CommandSpec(name="ops.hold_end", body=HoldEnd, result=HoldRef, summary=Text("End a hold.", "解除保全。"))
RETENTION = CommandSpec(
    name="ops.retention_run",
    body=RetentionRun,
    result=RetentionAnswer,
    summary=Text("Delete what is due by the retention rules.", "按保存期限规则清理。"),
)
DELETE = CommandSpec(
    name="ops.document_delete",
    body=DocumentDelete,
    result=DocumentRef,
    summary=Text("Delete a document.", "删除文档。"),
)
VERIFY = CommandSpec(
    name="ops.document_verify",
    body=DocumentVerify,
    result=DocumentRef,
    summary=Text("Verify a document.", "校验文档。"),
)


def commands(service: ArchiveService) -> list[BoundCommand[Any, Any]]:
    """Bind the commands to *service*."""

    async def hold_add(body: HoldAdd, context: CommandContext) -> HoldRef:
        hold = await service.hold_add(
            scope=body.scope,
            value=body.value,
            since=body.since,
            until=body.until,
            reason=body.reason,
            principal=context.principal,
        )
        return HoldRef(id=hold.id)

    async def hold_end(body: HoldEnd, context: CommandContext) -> HoldRef:
        await service.hold_end(body.id, principal=context.principal, why=body.why)
        return HoldRef(id=body.id)

    async def retention(body: RetentionRun, context: CommandContext) -> RetentionAnswer:  # noqa: ARG001
        verdicts = await service.retention(dry_run=body.dry_run)
        return RetentionAnswer(count=len(verdicts), verdicts=tuple(verdicts[:VERDICTS_TOLD]))

    async def delete(body: DocumentDelete, context: CommandContext) -> DocumentRef:
        await service.delete(body.id, principal=context.principal, why=body.why)
        return DocumentRef(id=body.id)

    async def verify(body: DocumentVerify, context: CommandContext) -> DocumentRef:  # noqa: ARG001
        document = await service.get(body.id)
        await service.verify(document.digest, anew=True)
        return DocumentRef(id=body.id)

    return [
        BoundCommand(HOLD_ADD, hold_add),
        BoundCommand(HOLD_END, hold_end),
        BoundCommand(RETENTION, retention),
        BoundCommand(DELETE, delete),
        BoundCommand(VERIFY, verify),
    ]
