"""The directory: who has which number, and how somebody is reached."""

import asyncio
from datetime import date

import msgspec
import structlog

from gateway.core.clock import Clock
from gateway.core.events import Happening
from gateway.directory.contact import Contact, ContactRef
from gateway.directory.csv_import import RowError, read_csv, write_csv
from gateway.directory.events import Imported
from gateway.directory.index import DirectoryIndex, Found
from gateway.directory.numbers import Numbering
from gateway.directory.repository import DirectoryRepository, Tally
from gateway.principals.audit import AuditTrail
from gateway.principals.model import Principal
from gateway.store.unit import Store, Unit

log = structlog.get_logger(__name__)


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did; with ``errors``, or as a dry run, it changed nothing (``applied`` is False)."""

    rows: int
    contacts: int
    created: int
    changed: int
    unchanged: int
    applied: bool
    errors: list[RowError]


class DirectoryService:
    """Looks up and searches in memory; imports into the store. :meth:`load` comes before everything else."""

    def __init__(self, store: Store, numbering: Numbering, clock: Clock, audit: AuditTrail) -> None:
        self._store = store
        self._audit = audit
        self._numbering = numbering
        self._clock = clock
        self._index = DirectoryIndex((), numbering)
        self._importing = asyncio.Lock()

    async def load(self) -> None:
        """Read all contacts from the store into memory."""
        self._index = await self._store.read(
            lambda connection: DirectoryIndex(DirectoryRepository.all(connection), self._numbering)
        )
        log.info("directory loaded", contacts=len(self._index))

    def lookup(self, number: str) -> list[ContactRef]:
        """Return whose *number* it is, best first; in memory, without a wait."""
        return self._index.lookup(number, self._today())

    async def search(self, text: str, limit: int = 20) -> list[Found]:
        """Return up to *limit* contacts that fit *text*, best first."""
        return await asyncio.to_thread(self._index.search, text, limit)

    async def import_csv(self, data: bytes, *, principal: Principal, dry_run: bool = False) -> ImportReport:
        """Import a file in the name of *principal*, all of it or, when any row is wrong, nothing.

        Contacts of the same unit, name and post are replaced; others stay. Raises ``ContactsFileError`` when *data* is
        no table of contacts.
        """
        async with self._importing:
            sheet = await asyncio.to_thread(read_csv, data, self._numbering)
            if sheet.errors:
                tally = Tally(created=0, changed=0, unchanged=0)
            elif dry_run:
                tally, _ = await self._store.read(lambda conn: DirectoryRepository.compare(conn, sheet.contacts))
            else:
                tally = await self._store.write(
                    lambda unit: self._import(unit, sheet.contacts, sheet.rows, principal), name="import contacts"
                )
                await self.load()
        return ImportReport(
            rows=sheet.rows,
            contacts=len(sheet.contacts),
            created=tally.created,
            changed=tally.changed,
            unchanged=tally.unchanged,
            applied=not sheet.errors and not dry_run,
            errors=sheet.errors,
        )

    async def export_csv(self) -> bytes:
        """Return all contacts as a file that :meth:`import_csv` takes."""
        return await asyncio.to_thread(lambda: write_csv(self._index.all()))

    def _import(self, unit: Unit, contacts: list[Contact], rows: int, principal: Principal) -> Tally:
        tally, write = DirectoryRepository.compare(unit.connection, contacts)
        DirectoryRepository.put(unit, write)
        event = Imported(rows=rows, created=tally.created, changed=tally.changed, unchanged=tally.unchanged)
        unit.emit(Happening(event=event, resource="contacts", aggregate="directory:contacts"))
        details = {"rows": rows, "created": tally.created, "changed": tally.changed}
        self._audit.record(unit, principal, "dir.import", "contacts", "done", details)
        return tally

    def _today(self) -> date:
        return self._clock.wall().astimezone().date()  # validity is by the calendar of the house
