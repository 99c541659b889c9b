"""The audit trail: one table whose rows are chained by hashes.

A row's hash is ``SHA-256(previous hash ‖ canonical JSON of the row)``; the canonical JSON has sorted keys, no spaces
and ASCII only. The head (last number and hash) is kept in a table of its own and logged now and then, so that
also the removal of the last rows, or a chain computed anew, shows against a head known from elsewhere. Without such a
head nobody who can write the database is kept from computing a new chain: keep the logged heads on another machine.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy import orm

from gateway.core.clock import Clock
from gateway.principals.model import Principal
from gateway.store.types import UtcDateTime
from gateway.store.unit import Base, Store, Unit

log = structlog.get_logger(__name__)

_NOTHING_BEFORE = "0" * 64
_HEAD_LOGGED_EVERY = 1000
_PAGE = 1000
_LONGEST_DETAILS = 4000


class AuditRow(Base):
    """Who did what to what, when, and how it ended."""

    __tablename__ = "audit"

    seq: orm.Mapped[int] = orm.mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    at: orm.Mapped[datetime] = orm.mapped_column(UtcDateTime, index=True)
    principal: orm.Mapped[str] = orm.mapped_column(sa.String(64), index=True)
    action: orm.Mapped[str] = orm.mapped_column(sa.String(64), index=True)
    resource: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    outcome: orm.Mapped[str] = orm.mapped_column(sa.String(32))
    details: orm.Mapped[str] = orm.mapped_column(sa.Text)
    previous: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    hash: orm.Mapped[str] = orm.mapped_column(sa.String(64))


class AuditHeadRow(Base):
    """The end of the chain; the table has one row."""

    __tablename__ = "audit_head"

    id: orm.Mapped[int] = orm.mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    seq: orm.Mapped[int] = orm.mapped_column(sa.BigInteger)
    hash: orm.Mapped[str] = orm.mapped_column(sa.String(64))


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain at some time; number 0 is the empty chain."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One row of the trail."""

    seq: int
    at: datetime
    principal: str
    action: str
    resource: str
    outcome: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuditFault:
    """Where the chain is broken: ``missing``, ``changed``, ``reordered``, ``truncated`` or ``rewritten``."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What a verification found; at most a hundred faults are listed."""

    rows: int
    head: Head
    faults: tuple[AuditFault, ...]


class AuditTrail:
    """Writes, verifies and searches the audit trail."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def record(  # noqa: PLR0917  # read as a sentence: who did what to what, and how it ended
        self,
        unit: Unit,
        principal: Principal | str,
        action: str,
        resource: str,
        outcome: str,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a row inside *unit*. *details* are JSON values and never hold a secret, a password or a body.

        The row before it is read in the same transaction, so there is one writer at a time: the store's rule.
        """
        row = {
            "principal": _shown(str(principal)),
            "action": _shown(action),
            "resource": _shown(resource),
            "outcome": _shown(outcome, 32),
            "details": _canonical(details or {})[:_LONGEST_DETAILS],
        }
        head = _head(unit.connection)
        seq = head.seq + 1
        digest = _row_hash(head.hash, at=unit.now, seq=seq, **row)
        values = {"seq": seq, "at": unit.now, "previous": head.hash, "hash": digest}
        unit.connection.execute(sa.insert(AuditRow).values(**values, **row))
        if head.seq == 0:
            unit.connection.execute(sa.insert(AuditHeadRow).values(id=1, seq=seq, hash=digest))
        else:
            unit.connection.execute(sa.update(AuditHeadRow).values(seq=seq, hash=digest))
        if seq % _HEAD_LOGGED_EVERY == 1:
            unit.after_commit(lambda: log.info("audit head", audit_seq=seq, audit_hash=digest))

    async def head(self) -> Head:
        """Return the end of the chain."""
        return await self._store.read(_head)

    async def query(
        self,
        *,
        principal: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before_seq: int | None = None,
        limit: int = 100,
    ) -> Sequence[AuditEntry]:
        """Return the newest rows that fit, newest first. *action* may hold ``*``; ``before_seq`` pages on."""
        wanted = sa.select(AuditRow.__table__).order_by(AuditRow.seq.desc()).limit(min(limit, _PAGE))
        if principal is not None:
            wanted = wanted.where(AuditRow.principal == principal)
        if action is not None:
            pattern = action.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_").replace("*", "%")
            wanted = wanted.where(AuditRow.action.like(pattern, escape="\\"))
        if since is not None:
            wanted = wanted.where(AuditRow.at >= since)
        if until is not None:
            wanted = wanted.where(AuditRow.at < until)
        if before_seq is not None:
            wanted = wanted.where(AuditRow.seq < before_seq)
        rows = await self._store.read(lambda connection: connection.execute(wanted).all())
        return [
            AuditEntry(
                seq=row.seq,
                at=row.at,
                principal=row.principal,
                action=row.action,
                resource=row.resource,
                outcome=row.outcome,
                details=_details(row.details),
            )
            for row in rows
        ]

    async def verify(self, known: Head | None = None) -> AuditReport:
        """Walk the whole chain, page by page. *known* is a head from the log or from another machine."""
        end = await self.head()
        walk = _Walk(known)
        while rows := await self._store.read(
            lambda connection: connection.execute(
                sa.select(AuditRow.__table__)
                .where(AuditRow.seq > walk.seq, AuditRow.seq <= end.seq)
                .order_by(AuditRow.seq)
                .limit(_PAGE)
            ).all()
        ):
            for row in rows:
                walk.row(row)
        beyond = await self._store.read(lambda connection: _beyond(connection, end))
        report = walk.finish(end, beyond=beyond)
        if report.faults:
            log.error("audit trail is broken", rows=report.rows, faults=len(report.faults), first=report.faults[0].seq)
        else:
            log.info("audit trail verified", rows=report.rows, audit_seq=end.seq, audit_hash=end.hash)
        return report


class _Walk:
    def __init__(self, known: Head | None) -> None:
        self.seq = 0
        self._hash = _NOTHING_BEFORE
        self._rows = 0
        self._known = known
        self._known_seen = known is None or known.seq == 0
        self._faults: list[AuditFault] = []

    def row(self, row: sa.Row[Any]) -> None:
        if row.seq != self.seq + 1:
            self._fault(self.seq + 1, "missing")
        elif row.previous != self._hash:
            self._fault(row.seq, "reordered")
        computed = _row_hash(
            row.previous,
            seq=row.seq,
            at=row.at,
            principal=row.principal,
            action=row.action,
            resource=row.resource,
            outcome=row.outcome,
            details=row.details,
        )
        if computed != row.hash:
            self._fault(row.seq, "changed")
        if self._known is not None and row.seq == self._known.seq:
            self._known_seen = True
            if row.hash != self._known.hash:
                self._fault(row.seq, "rewritten")
        self.seq, self._hash = row.seq, row.hash
        self._rows += 1

    def finish(self, end: Head, *, beyond: bool) -> AuditReport:
        if end.seq != self.seq or end.hash != self._hash or beyond or not self._known_seen:
            self._fault(self.seq + 1, "truncated")
        return AuditReport(rows=self._rows, head=end, faults=tuple(self._faults))

    def _fault(self, seq: int, what: str) -> None:
        if len(self._faults) < 100:
            self._faults.append(AuditFault(seq, what))


def _head(connection: sa.Connection) -> Head:
    row = connection.execute(sa.select(AuditHeadRow.seq, AuditHeadRow.hash)).one_or_none()
    return Head(0, _NOTHING_BEFORE) if row is None else Head(row.seq, row.hash)


def _beyond(connection: sa.Connection, end: Head) -> bool:
    # Rows above the head: the head was set back, unless the head has moved on while the chain was walked.
    last = connection.execute(sa.select(sa.func.max(AuditRow.seq))).scalar_one() or 0
    return last != _head(connection).seq and last > end.seq


def _row_hash(previous: str, *, at: datetime, **fields: Any) -> str:
    return hashlib.sha256((previous + _canonical({**fields, "at": at.isoformat()})).encode("ascii")).hexdigest()


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _details(text: str) -> Mapping[str, Any]:
    try:
        value: Mapping[str, Any] = json.loads(text)
    except ValueError:
        return {"unreadable": text}
    return value


def _shown(text: str, longest: int = 64) -> str:
    # What a stranger sent must not break a log line, a terminal or PostgreSQL (which knows no NUL).
    return "".join(character if character.isprintable() else "?" for character in text[:longest])


class AuditBudget:
    """Bounds the rows that refusals may write, so that a flood of them cannot fill the disk.

    A token bucket for each principal and one for all of them. What was not written is counted, and the count goes into
    the next row that is.
    """

    def __init__(self, clock: Clock, *, burst: int = 30, per_s: float = 0.1, total_burst: int = 120) -> None:
        self._clock = clock
        self._burst = burst
        self._per_s = per_s
        self._total = (float(total_burst), clock.monotonic())
        self._total_burst = total_burst
        self._each: dict[str, tuple[float, float]] = {}
        self._suppressed = 0

    def take(self, key: str) -> int | None:
        """Return how many were left out before this one, or ``None`` when this one is to be left out too."""
        now = self._clock.monotonic()
        total = self._filled(self._total, self._total_burst, self._per_s * 5, now)
        mine = self._filled(self._each.get(key, (float(self._burst), now)), self._burst, self._per_s, now)
        if mine < 1 or total < 1:
            self._suppressed += 1
            return None
        if key not in self._each and len(self._each) >= 1000:
            self._each.clear()
        self._each[key] = (mine - 1, now)
        self._total = (total - 1, now)
        suppressed, self._suppressed = self._suppressed, 0
        return suppressed

    @staticmethod
    def _filled(bucket: tuple[float, float], burst: float, per_s: float, now: float) -> float:
        level, at = bucket
        return min(burst, level + (now - at) * per_s)
