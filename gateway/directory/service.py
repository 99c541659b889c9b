"""The directory: who has which number, and how somebody is reached."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import msgspec
import structlog

from gateway.core.clock import Clock
from gateway.core.errors import ConflictError, InvalidInputError, NotFoundError
from gateway.core.events import Event, Happening
from gateway.core.ids import new_id
from gateway.directory.callers import Caller, CallHistory, Duty, nobody
from gateway.directory.contact import Contact, ContactNumber, ContactRef, OrgUnit
from gateway.directory.contacts_file import RowError, Sheet, contact_number, read_file, write_csv, write_xlsx
from gateway.directory.events import ContactChanged, Imported, UnitChanged
from gateway.directory.index import MOST_CHANGED, DirectoryIndex, Favour, Found
from gateway.directory.numbers import Numbering
from gateway.directory.persistence import IndexFolder
from gateway.directory.repository import Change, DirectoryRepository, Tally, changes
from gateway.directory.uses import Uses
from gateway.principals.audit import AuditTrail
from gateway.principals.model import Principal
from gateway.store.unit import Store, Unit

log = structlog.get_logger(__name__)

CONFIDENTIAL = "dir.confidential"
"""The right to see confidential contacts."""


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
    """Looks up and searches in memory; changes go into the store first. :meth:`load` comes before everything else.

    *folder* keeps the index over a restart; without one it is made anew. *duty* tells who is on duty now, *calls* of
    earlier calls.
    """

    def __init__(
        self,
        store: Store,
        numbering: Numbering,
        clock: Clock,
        audit: AuditTrail,
        *,
        folder: Path | None = None,
        duty: Duty = nobody,
        calls: CallHistory | None = None,
    ) -> None:
        self._store = store
        self._audit = audit
        self._numbering = numbering
        self._clock = clock
        self._duty = duty
        self._calls = calls
        self._kept = IndexFolder(store, numbering, folder)
        self._index = DirectoryIndex((), numbering)
        self._uses = Uses()
        self._changing = asyncio.Lock()
        self._due = asyncio.Event()

    async def load(self) -> None:
        """Open the index, or make it from the store."""
        self._index = await self._kept.open()
        self._uses = Uses(await self._store.read(DirectoryRepository.uses))
        log.info("directory loaded", contacts=len(self._index), changed=self._index.changed_count)

    # --- to find ------------------------------------------------------------------------------------------------------

    def lookup(self, number: str) -> list[ContactRef]:
        """Return whose *number* it is, best first; in memory, without a wait."""
        return self._index.lookup(number, self._today())

    async def caller(self, number: str, principal: Principal) -> Caller:
        """Return whose *number* it is, as far as *principal* may see, and what is known of it from earlier calls."""
        parsed = self._numbering.parse(number)
        visible = self._visible_to(principal)
        refs = [ref for ref in self.lookup(number) if (one := self._index.get(ref.id)) is not None and visible(one)]
        seen = None
        if parsed is not None and self._calls is not None:
            seen = await self._calls.seen(parsed.full, since=self._clock.wall() - timedelta(days=7))
        return Caller(number=number if parsed is None else self._numbering.domestic(parsed), contacts=refs, seen=seen)

    async def search(self, text: str, limit: int = 20, *, principal: Principal | None = None) -> list[Found]:
        """Return up to *limit* contacts that fit *text* and are valid today, best first for *principal*.

        Without a principal nothing confidential is found.
        """
        used = {} if principal is None else self._uses.weights(str(principal), self._clock.wall())
        favour = Favour(on_duty=self._duty(), used=used)
        index, visible, today = self._index, self._visible_to(principal), self._today()
        return await asyncio.to_thread(
            lambda: index.search(
                text, limit, favour=favour, visible=lambda contact: contact.valid_on(today) and visible(contact)
            )
        )

    def get(self, identifier: str, principal: Principal) -> Contact:
        """Return a contact that *principal* may see."""
        contact = self._index.get(identifier)
        if contact is None or not self._visible_to(principal)(contact):
            raise NotFoundError(what="contact", name=identifier)
        return contact

    def members(self, group: str, principal: Principal) -> list[Contact]:
        """Return the contacts of a group that are valid today and that *principal* may see."""
        visible, today = self._visible_to(principal), self._today()
        return [one for one in self._index.members(group) if one.valid_on(today) and visible(one)]

    def units(self) -> list[OrgUnit]:
        """Return every unit that is known to stand in the tree, by name."""
        return sorted(self._index.units.values(), key=lambda unit: unit.name)

    async def history(
        self, identifier: str, principal: Principal, *, before_seq: int | None = None, limit: int = 50
    ) -> list[Change]:
        """Return the changes of a contact, the latest first; also of one that was removed."""
        contact = self._index.get(identifier)
        if contact is None:
            principal.require(CONFIDENTIAL)  # nobody knows any more who might see it
        else:
            self.get(identifier, principal)
        return await self._store.read(
            lambda connection: DirectoryRepository.history(connection, identifier, before_seq=before_seq, limit=limit)
        )

    def number(self, written: str, kind: str = "", priority: int = 100) -> ContactNumber | None:
        """Return a number as it is kept, or None when *written* is not one; without a kind it is mobile or office."""
        return contact_number(self._numbering, written, kind, priority)

    # --- to change ----------------------------------------------------------------------------------------------------

    async def put(self, contact: Contact, *, principal: Principal) -> Contact:
        """Create a contact (empty id) or replace the one of its id; it is found at once by what it is now.

        Raises ``ConflictError`` when another one has the same unit, name and post.
        """
        if not contact.unit and not contact.name:
            raise InvalidInputError(field="unit", reason="neither unit nor name is given")
        if contact.valid_from and contact.valid_to and contact.valid_from > contact.valid_to:
            raise InvalidInputError(field="valid_to", reason="before valid_from")
        created = not contact.id
        if not created:
            self.get(contact.id, principal)
        after = msgspec.structs.replace(contact, id=contact.id or new_id())
        if after.confidential:
            principal.require(CONFIDENTIAL)

        def work(unit: Unit) -> None:
            other = DirectoryRepository.find(unit.connection, after.key)
            if other not in {None, after.id}:
                raise ConflictError(what="contact", reason=f"{other} has this unit, name and post")
            stored = DirectoryRepository.some(unit.connection, [after.id])
            if not created and not stored:
                raise NotFoundError(what="contact", name=after.id)
            DirectoryRepository.put(unit, [after], str(principal))
            fields = sorted(changes(stored[0] if stored else None, after))
            self._tell_contact(unit, after.id, "created" if created else "changed", fields, principal)

        async with self._changing:
            await self._store.write(work, name="contact-put")
            await self._change(lambda index: index.with_changes([after]))
        return after

    async def remove(self, identifier: str, *, principal: Principal) -> None:
        """Delete a contact; its history stays."""
        self.get(identifier, principal)

        def work(unit: Unit) -> None:
            stored = DirectoryRepository.some(unit.connection, [identifier])
            if not stored:
                raise NotFoundError(what="contact", name=identifier)
            DirectoryRepository.remove(unit, stored[0], str(principal))
            self._tell_contact(unit, identifier, "removed", [], principal)

        async with self._changing:
            await self._store.write(work, name="contact-remove")
            await self._change(lambda index: index.with_changes((), [identifier]))

    async def put_unit(self, org: OrgUnit, *, principal: Principal) -> None:
        """Create a unit or replace it; its parent and its aliases count for all its contacts at once."""
        if not org.name:
            raise InvalidInputError(field="name", reason="is empty")
        above, seen = org.parent, {org.name}
        while above:
            if above in seen:
                raise ConflictError(what=f"unit {org.name}", reason=f"{above} would be above itself")
            seen.add(above)
            known = self._index.units.get(above)
            above = "" if known is None else known.parent

        def work(unit: Unit) -> None:
            before = DirectoryRepository.units(unit.connection).get(org.name)
            DirectoryRepository.put_unit(unit, org, before, str(principal))
            event = UnitChanged(name=org.name, parent=org.parent, by=str(principal))
            unit.emit(Happening(event=event, resource="units", aggregate="directory:units"))
            self._audit.record(unit, principal, "dir.unit_put", "units", "done", {"aliases": len(org.aliases)})

        async with self._changing:
            await self._store.write(work, name="unit-put")
            await self._change(lambda index: index.with_changes(index.of_unit(org.name), units=[org]))

    async def note_use(self, identifier: str, *, principal: Principal) -> None:
        """Note that *principal* called or wrote to a contact: what is used often comes first for who uses it."""
        self.get(identifier, principal)
        use = self._uses.next(str(principal), identifier, self._clock.wall())
        self._uses.put(use)
        await self._store.write(lambda unit: DirectoryRepository.put_use(unit, use), name="contact-use")

    # --- files --------------------------------------------------------------------------------------------------------

    async def import_file(self, data: bytes, *, principal: Principal, dry_run: bool = False) -> ImportReport:
        """Import a file in the name of *principal*, all of it or, when any row is wrong, nothing.

        Contacts of the same unit, name and post are replaced; others stay. Raises ``ContactsFileError`` when *data* is
        no table of contacts.
        """
        async with self._changing:
            sheet = await asyncio.to_thread(read_file, data, self._numbering)
            if sheet.errors:
                tally = Tally(created=0, changed=0, unchanged=0)
            elif dry_run:
                tally, _ = await self._store.read(lambda conn: DirectoryRepository.compare(conn, sheet.contacts))
            else:
                tally, written = await self._store.write(
                    lambda unit: self._import(unit, sheet, principal), name="import contacts"
                )
                await self._change(lambda index: index.with_changes(written))
        return ImportReport(
            rows=sheet.rows,
            contacts=len(sheet.contacts),
            created=tally.created,
            changed=tally.changed,
            unchanged=tally.unchanged,
            applied=not sheet.errors and not dry_run,
            errors=sheet.errors,
        )

    async def export_file(self, *, principal: Principal, workbook: bool = False) -> bytes:
        """Return all contacts that *principal* may see as a file that :meth:`import_file` takes: CSV, or a workbook."""
        index, visible = self._index, self._visible_to(principal)
        write = write_xlsx if workbook else write_csv
        return await asyncio.to_thread(lambda: write(filter(visible, index.all())))

    def _import(self, unit: Unit, sheet: Sheet, principal: Principal) -> tuple[Tally, Sequence[Contact]]:
        tally, write = DirectoryRepository.compare(unit.connection, sheet.contacts)
        DirectoryRepository.put(unit, write, str(principal))
        event = Imported(rows=sheet.rows, created=tally.created, changed=tally.changed, unchanged=tally.unchanged)
        unit.emit(Happening(event=event, resource="contacts", aggregate="directory:contacts"))
        details = {"rows": sheet.rows, "created": tally.created, "changed": tally.changed}
        self._audit.record(unit, principal, "dir.import", "contacts", "done", details)
        return tally, write

    # --- within -------------------------------------------------------------------------------------------------------

    async def much_changed(self) -> None:
        """Wait until so much has changed that :meth:`compact` is worth its time."""
        await self._due.wait()

    async def compact(self) -> None:
        """Make the large segment anew and save it; what is changed meanwhile is not lost, and shown at once."""
        async with self._changing:
            self._due.clear()
            before, covered = self._index, await self._kept.covered()
        compacted = await asyncio.to_thread(before.compacted)
        async with self._changing:
            now = self._index
            if now.base is not before.base:
                return  # a large file was imported meanwhile, and it is new already
            put, removed = now.since(before)
            self._index = await asyncio.to_thread(compacted.with_changes, put, removed, now.units.values())
        await self._kept.save(compacted, covered)
        log.info("directory compacted", contacts=len(compacted), changed_meanwhile=len(put) + len(removed))

    async def _change(self, change: Callable[[DirectoryIndex], DirectoryIndex]) -> None:
        """Show what was written at once. The caller holds the lock."""
        before = self._index
        self._index = await asyncio.to_thread(change, before)
        if self._index.base is not before.base:
            await self._kept.save(self._index, await self._kept.covered())
        elif self._index.changed_count > MOST_CHANGED:
            self._due.set()

    def _tell_contact(self, unit: Unit, identifier: str, change: str, fields: list[str], principal: Principal) -> None:
        event: Event = ContactChanged(id=identifier, change=change, fields=fields, by=str(principal))
        unit.emit(Happening(event=event, resource="contacts", aggregate=f"contact:{identifier}"))
        verb = "dir.contact_remove" if change == "removed" else "dir.contact_put"
        self._audit.record(unit, principal, verb, identifier, "done", {"change": change, "fields": fields})

    @staticmethod
    def _visible_to(principal: Principal | None) -> Callable[[Contact], bool]:
        everything = principal is not None and principal.may(CONFIDENTIAL)
        return lambda contact: everything or not contact.confidential

    def _today(self) -> date:
        return self._clock.wall().astimezone().date()  # validity is by the calendar of the house
