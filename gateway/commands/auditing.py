"""The audit trail as commands: to be read, and to be proven whole."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from gateway.commands.spec import BoundCommand, CommandContext, CommandSpec
from gateway.core.errors import InvalidInputError
from gateway.core.events import Message
from gateway.core.text import Text
from gateway.principals.audit import AuditEntry, AuditTrail, Head


class AuditRead(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The newest rows that fit, newest first; ``action`` may hold ``*``, and ``before_seq`` pages on."""

    principal: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    action: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    since: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    until: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    before_seq: Annotated[int, msgspec.Meta(ge=1)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 100


class AuditLine(Message, frozen=True, kw_only=True):
    """One row: who did what to what, when, and how it ended."""

    seq: int
    at: datetime
    principal: str
    action: str
    resource: str
    outcome: str
    details: dict[str, Any]


class AuditPage(Message, frozen=True, kw_only=True):
    """Rows, newest first."""

    rows: tuple[AuditLine, ...]


class AuditVerify(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Walk the whole chain, against a head known from elsewhere (the log, a print-out) if one is given."""

    known_seq: Annotated[int, msgspec.Meta(ge=1)] | None = None
    known_hash: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")] | None = None


class Fault(Message, frozen=True, kw_only=True):
    """Where the chain is broken: ``missing``, ``changed``, ``reordered``, ``truncated`` or ``rewritten``."""

    seq: int
    what: str


class AuditProof(Message, frozen=True, kw_only=True):
    """What the walk found. Keep ``head_seq`` and ``head_hash`` on another machine: they prove the next walk."""

    rows: int
    head_seq: int
    head_hash: str
    whole: bool
    faults: tuple[Fault, ...]


READ = CommandSpec(
    name="sys.audit_read", body=AuditRead, result=AuditPage, summary=Text("Read the audit trail", "查阅审计记录")
)
VERIFY = CommandSpec(
    name="sys.audit_verify",
    body=AuditVerify,
    result=AuditProof,
    summary=Text("Prove the audit trail whole", "校验审计记录的完整性"),
    default_ttl_s=120.0,
)


def commands(audit: AuditTrail) -> list[BoundCommand[Any, Any]]:
    """Bind the commands to *audit*."""

    async def read(body: AuditRead, _context: CommandContext) -> AuditPage:
        entries = await audit.query(
            principal=body.principal,
            action=body.action,
            since=body.since,
            until=body.until,
            before_seq=body.before_seq,
            limit=body.limit,
        )
        return AuditPage(rows=_lines(entries))

    async def verify(body: AuditVerify, _context: CommandContext) -> AuditProof:
        if (body.known_seq is None) != (body.known_hash is None):
            raise InvalidInputError(field="known_hash", reason="known_seq and known_hash belong together")
        known = Head(body.known_seq, body.known_hash) if body.known_seq is not None and body.known_hash else None
        report = await audit.verify(known)
        return AuditProof(
            rows=report.rows,
            head_seq=report.head.seq,
            head_hash=report.head.hash,
            whole=not report.faults,
            faults=tuple(Fault(seq=fault.seq, what=fault.what) for fault in report.faults),
        )

    return [BoundCommand(READ, read), BoundCommand(VERIFY, verify)]


def _lines(entries: Sequence[AuditEntry]) -> tuple[AuditLine, ...]:
    return tuple(
        AuditLine(
            seq=entry.seq,
            at=entry.at,
            principal=entry.principal,
            action=entry.action,
            resource=entry.resource,
            outcome=entry.outcome,
            details=dict(entry.details),
        )
        for entry in entries
    )
