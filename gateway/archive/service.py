"""Documents: put in, read with verification, held, deleted by rule."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog
from msgspec.structs import replace

from gateway.archive import repository
from gateway.archive.errors import ArchiveDamagedError, ArchiveError, ArchiveHeldError, ArchiveMissingError
from gateway.archive.events import DocumentAdded, DocumentDeleted, DocumentFailed, DocumentFound, HoldAdded, HoldEnded
from gateway.archive.folder import CHUNK, Folder, Incoming, Stamp, Stored
from gateway.archive.options import ArchiveOptions
from gateway.archive.repository import Document
from gateway.archive.rules import Hold, Reason, Scope, Verdict, judge
from gateway.core.alarm import AlarmSink, Condition, Severity
from gateway.core.clock import Clock
from gateway.core.errors import ConflictError, InvalidInputError, NotFoundError
from gateway.core.events import Event, Happening, Message
from gateway.core.ids import new_id
from gateway.core.text import Text
from gateway.principals.audit import AuditTrail
from gateway.principals.model import SYSTEM, Principal
from gateway.store.unit import Store, Unit

log = structlog.get_logger(__name__)

T = TypeVar("T")

PAGE = 500
VERIFIED_REMEMBERED = 4096
ORPHAN = "orphan"
FAILED_TEXT = Text("A document of the archive is {what}.", "归档文档异常：{what}。")


class Reconciliation(Message, frozen=True, kw_only=True):
    """What the comparison of files and records found."""

    adopted: int
    removed: int
    damaged: int
    missing: int


class ArchiveService:
    """The archive. ``incident_of`` tells, from the store, which incident an aggregate was tied to later.

    One process owns the folder (the store's lock sees to that). Files come before their records and go after them, so
    a crash leaves a file too many and never one too few; :meth:`reconcile` puts that right.
    """

    def __init__(
        self,
        *,
        store: Store,
        folder: Folder,
        clock: Clock,
        audit: AuditTrail,
        alarms: AlarmSink,
        options: ArchiveOptions,
        incident_of: Callable[[sa.Connection, str], str | None] = lambda _connection, _aggregate: None,
    ) -> None:
        self._store = store
        self._folder = folder
        self._clock = clock
        self._audit = audit
        self._alarms = alarms
        self._options = options
        self._incident_of = incident_of
        self._placing = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()
        self._verified: OrderedDict[str, tuple[Stamp, float]] = OrderedDict()
        self._scrubbed = ""

    async def start(self) -> None:
        """Make the folders, remove what a crash left half written, and end the deletions that it interrupted."""
        left = await asyncio.to_thread(self._folder.prepare)
        if left:
            log.warning("half-written documents removed", files=left)
        for digest in await self._store.read(repository.removals):
            await self._remove(digest)

    # in and out

    async def add(
        self,
        content: bytes | AsyncIterable[bytes],
        *,
        kind: str,
        media_type: str,
        name: str,
        principal: Principal,
        unit: str = "",
        aggregate: str | None = None,
        incident: str | None = None,
        tags: Sequence[str] = (),
        created_at: datetime | None = None,
    ) -> Document:
        """Put a document in and return its record once both are durable.

        Raises ``ArchiveFullError``, ``ArchiveTooLargeError``, ``ArchiveWriteError``; then nothing was kept.
        """
        incoming = self._folder.receive()
        try:
            await asyncio.to_thread(incoming.open)
            await self._fill(incoming, content)
            stored = await asyncio.to_thread(incoming.seal)
            document = Document(
                id=new_id(),
                digest=stored.digest,
                size=stored.size,
                kind=kind,
                media_type=media_type,
                name=name,
                unit=unit,
                aggregate=aggregate,
                incident=incident,
                tags=tuple(tags),
                created_at=created_at or self._clock.wall(),
                created_by=str(principal),
            )
            await self._whole(self._keep(incoming, document))
        finally:
            await self._whole(asyncio.to_thread(incoming.close))
        return document

    async def get(self, document_id: str) -> Document:
        """Return one document that was not deleted."""
        return await self._store.read(lambda connection: _get(connection, document_id))

    async def search(
        self,
        *,
        kind: str | None = None,
        aggregate: str | None = None,
        incident: str | None = None,
        before: datetime | None = None,
        limit: int = 100,
    ) -> list[Document]:
        """Return documents, the latest first."""
        return await self._store.read(
            lambda connection: repository.search(connection, kind, aggregate, incident, before, limit)
        )

    async def verify(self, digest: str, *, anew: bool = False) -> None:
        """Make sure that the file is what was put in; raise ``ArchiveMissingError`` or ``ArchiveDamagedError``.

        A file that was verified a short time ago and was not touched since is not read again, unless *anew*.
        """
        try:
            stamp = await asyncio.to_thread(self._folder.stamp, digest)
            known = self._verified.get(digest)
            fresh = known is not None and known[0] == stamp
            if fresh and known is not None and not anew:
                fresh = self._clock.monotonic() - known[1] < self._options.verify_again_s
            if not fresh or anew:
                stamp = await asyncio.to_thread(self._folder.verify, digest)
        except (ArchiveMissingError, ArchiveDamagedError) as error:
            self._verified.pop(digest, None)
            await self._failed(digest, error)
            raise
        if not fresh or anew:
            self._verified[digest] = (stamp, self._clock.monotonic())
            self._verified.move_to_end(digest)
            while len(self._verified) > VERIFIED_REMEMBERED:
                self._verified.popitem(last=False)
        self._alarms.clear(f"document:{digest}")

    async def read(self, document: Document, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Verify the document, then yield its bytes from *start* up to *stop* in pieces."""
        await self.verify(document.digest)
        end = document.size if stop is None else min(stop, document.size)
        place = start
        while place < end:
            piece = await asyncio.to_thread(self._folder.read, document.digest, place, min(CHUNK, end - place))
            if not piece:
                raise ArchiveDamagedError(digest=document.digest)
            place += len(piece)
            yield piece

    async def fetched(self, document: Document, principal: Principal, details: dict[str, Any]) -> None:
        """Write down who was given a document."""
        await self._store.write(
            lambda unit: self._audit.record(
                unit, principal, "ops.document_read", document.kind, "given", {"id": document.id, **details}
            ),
            name="document-read",
        )

    # holds and retention

    async def hold_add(
        self,
        *,
        scope: Scope,
        principal: Principal,
        reason: str,
        value: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Hold:
        """Place a hold, from this moment on stronger than any rule."""
        if (scope is Scope.TIME) == bool(value) or (scope is Scope.TIME and since is None and until is None):
            raise InvalidInputError(field="scope", reason="give a value, or for the scope time since or until")
        hold_id = new_id()

        def work(unit: Unit) -> Hold:
            hold = Hold(
                id=hold_id,
                scope=scope,
                value=value,
                since=since,
                until=until,
                reason=reason,
                placed_by=str(principal),
                placed_at=unit.now,
            )
            repository.insert_hold(unit.connection, hold)
            by = str(principal)
            added = HoldAdded(id=hold_id, scope=scope.value, value=value, since=since, until=until, by=by)
            _emit(unit, f"hold:{hold_id}", added)
            return hold

        return await self._store.write(work, name="hold-add")

    async def hold_end(self, hold_id: str, *, principal: Principal, why: str) -> Hold:
        """End a hold."""

        def work(unit: Unit) -> Hold:
            hold = repository.find_hold(unit.connection, hold_id)
            if hold is None:
                raise NotFoundError(what="hold", name=hold_id)
            if hold.ended_at is not None:
                raise ConflictError(what=f"hold {hold_id}", reason="it was ended already")
            by = str(principal)
            repository.end_hold(unit.connection, hold_id, at=unit.now, by=by, why=why)
            _emit(unit, f"hold:{hold_id}", HoldEnded(id=hold_id, by=by))
            return replace(hold, ended_at=unit.now, ended_by=by, ended_why=why)

        return await self._store.write(work, name="hold-end")

    async def holds(self, *, ended: bool = False) -> list[Hold]:
        """Return holds, the latest first."""
        return await self._store.read(lambda connection: repository.holds(connection, ended=ended))

    async def explain(self, document_id: str) -> Verdict:
        """Say whether a document is due, and why or why not."""
        return await self._store.read(lambda connection: self._judge(connection, _get(connection, document_id)))

    async def retention(self, *, dry_run: bool) -> list[Verdict]:
        """Delete every document that is due, and return why; with *dry_run* return it only.

        Each is judged again in the unit that deletes it, so a hold placed meanwhile keeps it.
        """
        due: list[Verdict] = []
        after = ""
        while True:
            page, verdicts = await self._store.read(partial(self._judge_page, after=after))
            if not page:
                return due
            after = page[-1].id
            due += [verdict for verdict in verdicts if dry_run or await self._delete_due(verdict.id)]

    async def delete(self, document_id: str, *, principal: Principal, why: str) -> None:
        """Delete a document by hand; one that is held is refused."""

        def work(unit: Unit) -> Document:
            document = _get(unit.connection, document_id)
            verdict = self._judge(unit.connection, document)
            if verdict.reason is Reason.HELD:
                raise ArchiveHeldError(id=document_id, holds=", ".join(verdict.holds))
            self._bury(unit, document, rule=None, why=why, by=principal)
            return document

        document = await self._store.write(work, name="document-delete")
        await self._remove(document.digest)

    # care

    async def reconcile(self) -> Reconciliation:
        """Compare files and records: adopt files without a record, tell of records without a file."""
        removed = 0
        for digest in await self._store.read(repository.removals):
            removed += await self._remove(digest)
        adopted = damaged = missing = 0
        for digest in await asyncio.to_thread(lambda: list(self._folder.digests())):
            if await self._references(digest) == 0:
                found = await self._whole(self._adopt(digest))
                adopted += found is True
                damaged += found is False
        after = ""
        while page := await self._store.read(partial(repository.live_after, document=after, limit=PAGE)):
            after = page[-1].id
            for document in page:
                error = await asyncio.to_thread(self._look, document)
                if error is not None:
                    missing += isinstance(error, ArchiveMissingError)
                    damaged += isinstance(error, ArchiveDamagedError)
                    await self._failed(document.digest, error)
        return Reconciliation(adopted=adopted, removed=removed, damaged=damaged, missing=missing)

    async def scrub_next(self) -> bool | None:
        """Read one document and verify it; return whether it is whole, None at the end of a round."""
        page = await self._store.read(lambda connection: repository.live_after(connection, self._scrubbed, 1))
        if not page:
            self._scrubbed = ""
            return None
        self._scrubbed = page[0].id
        try:
            await self.verify(page[0].digest, anew=True)
        except (ArchiveMissingError, ArchiveDamagedError):
            return False
        return True

    # inside

    def _look(self, document: Document) -> ArchiveError | None:
        try:
            size = self._folder.stamp(document.digest).size
        except ArchiveMissingError as error:
            return error
        return None if size == document.size else ArchiveDamagedError(digest=document.digest)

    async def _fill(self, incoming: Incoming, content: bytes | AsyncIterable[bytes]) -> None:
        if isinstance(content, bytes):
            await asyncio.to_thread(incoming.write, content)
            return
        waiting = bytearray()
        async for piece in content:
            waiting += piece
            while len(waiting) >= CHUNK:
                await asyncio.to_thread(incoming.write, bytes(waiting[:CHUNK]))
                del waiting[:CHUNK]
        await asyncio.to_thread(incoming.write, bytes(waiting))

    async def _keep(self, incoming: Incoming, document: Document) -> None:
        def work(unit: Unit) -> None:
            repository.insert(unit.connection, document)
            repository.forget_removal(unit.connection, document.digest)
            added = DocumentAdded(
                id=document.id,
                digest=document.digest,
                kind=document.kind,
                media_type=document.media_type,
                size=document.size,
                aggregate=document.aggregate,
                by=document.created_by,
            )
            _emit(unit, f"document:{document.id}", added, incident=document.incident)

        async with self._placing:
            await asyncio.to_thread(incoming.keep)
            await self._store.write(work, name="document-add")
        self._alarms.clear(f"document:{document.digest}")

    async def _remove(self, digest: str) -> bool:
        return await self._whole(self._remove_now(digest))

    async def _remove_now(self, digest: str) -> bool:
        async with self._placing:
            gone = await self._references(digest) == 0 and await asyncio.to_thread(self._folder.remove, digest)
            await self._store.write(
                lambda unit: repository.forget_removal(unit.connection, digest), name="document-removed"
            )
        self._verified.pop(digest, None)
        return gone

    async def _adopt(self, digest: str) -> bool | None:
        async with self._placing:
            if await self._references(digest) > 0:
                return None
            try:
                stamp = await asyncio.to_thread(self._folder.verify, digest)
            except ArchiveMissingError:
                return None
            except ArchiveDamagedError as error:
                await asyncio.to_thread(self._folder.set_aside, digest)
                await self._failed(digest, error)
                return False
            await self._store.write(lambda unit: _adopt_in(unit, Stored(digest, stamp.size), new_id()), name="adopt")
            log.warning("file without a record adopted", digest=digest)
            return True

    async def _delete_due(self, document_id: str) -> bool:
        def work(unit: Unit) -> Document | None:
            document = repository.find(unit.connection, document_id)
            if document is None or document.deleted_at is not None:
                return None
            verdict = self._judge(unit.connection, document)
            if not verdict.due:
                return None
            self._bury(unit, document, rule=verdict.rule, why=verdict.text_en, by=SYSTEM)
            return document

        document = await self._store.write(work, name="document-due")
        if document is None:
            return False
        await self._remove(document.digest)
        return True

    def _bury(self, unit: Unit, document: Document, *, rule: str | None, why: str, by: Principal) -> None:
        repository.bury(unit.connection, document, at=unit.now, by=str(by))
        details = {"id": document.id, "digest": document.digest, "rule": rule, "why": why}
        self._audit.record(unit, by, "ops.document_delete", document.kind, "deleted", details)
        deleted = DocumentDeleted(
            id=document.id, digest=document.digest, kind=document.kind, rule=rule, why=why, by=str(by)
        )
        _emit(unit, f"document:{document.id}", deleted, incident=document.incident)

    def _judge_page(self, connection: sa.Connection, after: str) -> tuple[list[Document], list[Verdict]]:
        page = repository.live_after(connection, after, PAGE)
        holds = repository.holds(connection)
        verdicts = [self._judge(connection, document, holds) for document in page]
        return page, [verdict for verdict in verdicts if verdict.due]

    def _judge(self, connection: sa.Connection, document: Document, holds: list[Hold] | None = None) -> Verdict:
        standing = repository.holds(connection) if holds is None else holds
        now = self._clock.wall()
        verdict = judge(document, self._options.rules, standing, now)
        if document.aggregate is None or verdict.reason is Reason.HELD:
            return verdict
        later = self._incident_of(connection, document.aggregate)
        if later is None or later == document.incident:
            return verdict
        return judge(replace(document, incident=later), self._options.rules, standing, now)

    async def _references(self, digest: str) -> int:
        return await self._store.read(lambda connection: repository.references(connection, digest))

    async def _failed(self, digest: str, error: ArchiveError) -> None:
        what = "missing" if isinstance(error, ArchiveMissingError) else "damaged"
        self._alarms.report(
            Condition(
                key=f"document:{digest}",
                severity=Severity.MAJOR,
                source="archive",
                text=FAILED_TEXT,
                fields={"what": what},
                needs_acknowledgement=True,
            )
        )
        log.error("document failed", digest=digest, what=what)
        await self._store.write(
            lambda unit: _emit(unit, f"file:{digest}", DocumentFailed(digest=digest, what=what)), name="document-failed"
        )

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        # File and record belong together: a caller that goes away does not tear them apart.
        task = asyncio.create_task(work, name="archive")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)


def _get(connection: sa.Connection, document_id: str) -> Document:
    document = repository.find(connection, document_id)
    if document is None or document.deleted_at is not None:
        raise NotFoundError(what="document", name=document_id)
    return document


def _adopt_in(unit: Unit, stored: Stored, document_id: str) -> None:
    document = Document(
        id=document_id,
        digest=stored.digest,
        size=stored.size,
        kind=ORPHAN,
        media_type="application/octet-stream",
        name="",
        unit="",
        aggregate=None,
        incident=None,
        tags=(),
        created_at=unit.now,
        created_by=str(SYSTEM),
    )
    repository.insert(unit.connection, document)
    repository.forget_removal(unit.connection, stored.digest)
    found = DocumentFound(id=document_id, digest=stored.digest, size=stored.size)
    _emit(unit, f"document:{document_id}", found)


def _emit(unit: Unit, aggregate: str, event: Event, *, incident: str | None = None) -> None:
    unit.emit(Happening(event=event, resource="archive", aggregate=aggregate, incident=incident))
