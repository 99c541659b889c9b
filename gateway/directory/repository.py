"""Contacts and units in the store, and the history of their changes."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import orm

from gateway.core.events import Message
from gateway.core.ids import new_id
from gateway.directory.contact import Contact, ContactKey, ContactNumber, OrgUnit
from gateway.store.types import BIG_KEY, UtcDateTime
from gateway.store.unit import Base, Unit

_PART = 500  # SQLite takes a bounded number of parameters


class ContactRow(Base):
    """One contact. The list columns hold JSON arrays of texts."""

    __tablename__ = "dir_contacts"
    __table_args__ = (sa.UniqueConstraint("unit", "name", "post"),)

    id: orm.Mapped[str] = orm.mapped_column(sa.String(26), primary_key=True)
    unit: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    parent_unit: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    name: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    post: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    fax: orm.Mapped[list[str]] = orm.mapped_column(sa.JSON)
    radio: orm.Mapped[list[str]] = orm.mapped_column(sa.JSON)
    email: orm.Mapped[list[str]] = orm.mapped_column(sa.JSON)
    groups: orm.Mapped[list[str]] = orm.mapped_column(sa.JSON)
    aliases: orm.Mapped[list[str]] = orm.mapped_column(sa.JSON)
    valid_from: orm.Mapped[date | None] = orm.mapped_column(sa.Date)
    valid_to: orm.Mapped[date | None] = orm.mapped_column(sa.Date)
    notes: orm.Mapped[str] = orm.mapped_column(sa.Text)
    confidential: orm.Mapped[bool]


class ContactNumberRow(Base):
    """One number of a contact; ``place`` keeps the order."""

    __tablename__ = "dir_numbers"

    contact_id: orm.Mapped[str] = orm.mapped_column(
        sa.String(26), sa.ForeignKey("dir_contacts.id", ondelete="CASCADE"), primary_key=True
    )
    place: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    written: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    canonical: orm.Mapped[str] = orm.mapped_column(sa.String(32), index=True)
    number: orm.Mapped[str] = orm.mapped_column(sa.String(32))
    kind: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    priority: orm.Mapped[int]


class OrgUnitRow(Base):
    """One unit of the tree, by its name."""

    __tablename__ = "dir_units"

    name: orm.Mapped[str] = orm.mapped_column(sa.String(200), primary_key=True)
    parent: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    aliases: orm.Mapped[list[str]] = orm.mapped_column(sa.JSON)


class ChangeRow(Base):
    """One change of a contact, or of a unit; numbered without a gap, so that an index knows what it lacks."""

    __tablename__ = "dir_changes"

    seq: orm.Mapped[int] = orm.mapped_column(BIG_KEY, primary_key=True, autoincrement=False)
    id: orm.Mapped[str] = orm.mapped_column(sa.String(26))
    at: orm.Mapped[datetime] = orm.mapped_column(UtcDateTime)
    principal: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    action: orm.Mapped[str] = orm.mapped_column(sa.String(16))
    contact_id: orm.Mapped[str | None] = orm.mapped_column(sa.String(26), index=True)
    unit: orm.Mapped[str | None] = orm.mapped_column(sa.String(200))
    fields: orm.Mapped[dict[str, Any]] = orm.mapped_column(sa.JSON)


class UseRow(Base):
    """How often somebody used a contact lately: ``weight`` as it was at ``at``."""

    __tablename__ = "dir_uses"

    principal: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)
    contact_id: orm.Mapped[str] = orm.mapped_column(sa.String(26), primary_key=True)
    at: orm.Mapped[datetime] = orm.mapped_column(UtcDateTime)
    weight: orm.Mapped[float]


class Tally(msgspec.Struct, frozen=True):
    """What an import did, or would do."""

    created: int
    changed: int
    unchanged: int


class Change(Message, frozen=True, kw_only=True):
    """Who changed what and when. ``fields`` has the value before and after of each field that changed."""

    seq: int
    at: datetime
    by: str
    action: str
    contact_id: str | None = None
    unit: str | None = None
    fields: dict[str, Any]


class Use(msgspec.Struct, frozen=True):
    """A row of :class:`UseRow`."""

    principal: str
    contact_id: str
    at: datetime
    weight: float


class Covered(msgspec.Struct, frozen=True):
    """A state of the directory: the last change that is in it."""

    seq: int
    id: str


class DirectoryRepository:
    """Reads and writes contacts; without state of its own."""

    @staticmethod
    def all(connection: sa.Connection) -> list[Contact]:
        """Return every contact with its numbers."""
        return _with_numbers(connection, sa.select(ContactRow.__table__), sa.select(ContactNumberRow.__table__))

    @staticmethod
    def some(connection: sa.Connection, identifiers: Iterable[str]) -> list[Contact]:
        """Return those of *identifiers* that there are."""
        wanted = sorted(set(identifiers))
        contacts: list[Contact] = []
        for start in range(0, len(wanted), _PART):
            part = wanted[start : start + _PART]
            contacts += _with_numbers(
                connection,
                sa.select(ContactRow.__table__).where(ContactRow.id.in_(part)),
                sa.select(ContactNumberRow.__table__).where(ContactNumberRow.contact_id.in_(part)),
            )
        return contacts

    @classmethod
    def find(cls, connection: sa.Connection, key: ContactKey) -> str | None:
        """Return the id of the contact with this unit, name and post."""
        unit, name, post = key
        return connection.execute(
            sa.select(ContactRow.id).where(ContactRow.unit == unit, ContactRow.name == name, ContactRow.post == post)
        ).scalar_one_or_none()

    @staticmethod
    def of_unit(connection: sa.Connection, unit: str) -> list[str]:
        """Return the ids of a unit's contacts."""
        return list(connection.execute(sa.select(ContactRow.id).where(ContactRow.unit == unit)).scalars())

    @classmethod
    def compare(cls, connection: sa.Connection, contacts: Sequence[Contact]) -> tuple[Tally, list[Contact]]:
        """Return what importing *contacts* does, and those to be written, with their ids."""
        stored: dict[ContactKey, Contact] = {contact.key: contact for contact in cls.all(connection)}
        write: list[Contact] = []
        created = 0
        for contact in contacts:
            before = stored.get(contact.key)
            if before is None:
                after = msgspec.structs.replace(contact, id=new_id())
            else:  # a file does not tell what is confidential
                after = msgspec.structs.replace(contact, id=before.id, confidential=before.confidential)
            created += before is None
            if after != before:
                write.append(after)
        tally = Tally(created=created, changed=len(write) - created, unchanged=len(contacts) - len(write))
        return tally, write

    @classmethod
    def put(cls, unit: Unit, contacts: Sequence[Contact], by: str) -> None:
        """Write *contacts* whole, replacing those of the same id, and note what changed."""
        if not contacts:
            return
        before = {contact.id: contact for contact in cls.some(unit.connection, (c.id for c in contacts))}
        cls._delete(unit, before)
        unit.connection.execute(sa.insert(ContactRow), [_contact_row(contact) for contact in contacts])
        numbers = [
            {"contact_id": contact.id, "place": place, **msgspec.structs.asdict(number)}
            for contact in contacts
            for place, number in enumerate(contact.numbers)
        ]
        if numbers:
            unit.connection.execute(sa.insert(ContactNumberRow), numbers)
        _note(
            unit,
            by,
            [
                (
                    "changed" if contact.id in before else "created",
                    contact.id,
                    None,
                    changes(before.get(contact.id), contact),
                )
                for contact in contacts
            ],
        )

    @classmethod
    def remove(cls, unit: Unit, contact: Contact, by: str) -> None:
        """Delete a contact; its history stays, with what it was."""
        cls._delete(unit, [contact.id])
        unit.connection.execute(sa.delete(UseRow).where(UseRow.contact_id == contact.id))
        _note(unit, by, [("removed", contact.id, None, changes(contact, None))])

    @staticmethod
    def _delete(unit: Unit, identifiers: Iterable[str]) -> None:
        ids = list(identifiers)
        for start in range(0, len(ids), _PART):
            part = ids[start : start + _PART]
            unit.connection.execute(sa.delete(ContactNumberRow).where(ContactNumberRow.contact_id.in_(part)))
            unit.connection.execute(sa.delete(ContactRow).where(ContactRow.id.in_(part)))

    # --- units --------------------------------------------------------------------------------------------------------

    @staticmethod
    def units(connection: sa.Connection) -> dict[str, OrgUnit]:
        """Return every unit that was put, by its name."""
        rows = connection.execute(sa.select(OrgUnitRow.__table__).order_by(OrgUnitRow.name)).mappings()
        return {row["name"]: msgspec.convert(dict(row), OrgUnit) for row in rows}

    @staticmethod
    def put_unit(unit: Unit, after: OrgUnit, before: OrgUnit | None, by: str) -> None:
        """Write a unit in place of what it was."""
        unit.connection.execute(sa.delete(OrgUnitRow).where(OrgUnitRow.name == after.name))
        row = {"name": after.name, "parent": after.parent, "aliases": list(after.aliases)}
        unit.connection.execute(sa.insert(OrgUnitRow).values(**row))
        known = {} if before is None else msgspec.to_builtins(before)
        fields = {name: [known.get(name), value] for name, value in row.items() if known.get(name) != value}
        _note(unit, by, [("created" if before is None else "changed", None, after.name, fields)])

    # --- history ------------------------------------------------------------------------------------------------------

    @staticmethod
    def history(connection: sa.Connection, contact_id: str, *, before_seq: int | None, limit: int) -> list[Change]:
        """Return the changes of a contact, the latest first."""
        wanted = sa.select(ChangeRow.__table__).where(ChangeRow.contact_id == contact_id)
        if before_seq is not None:
            wanted = wanted.where(ChangeRow.seq < before_seq)
        rows = connection.execute(wanted.order_by(ChangeRow.seq.desc()).limit(limit))
        return [_change(row) for row in rows]

    @staticmethod
    def covered(connection: sa.Connection) -> Covered:
        """Return the last change; number 0 when there was none."""
        row = connection.execute(sa.select(ChangeRow.seq, ChangeRow.id).order_by(ChangeRow.seq.desc()).limit(1)).first()
        return Covered(0, "") if row is None else Covered(row.seq, row.id)

    @staticmethod
    def since(connection: sa.Connection, covered: Covered, most: int) -> list[Change] | None:
        """Return what changed after *covered*; None when that is no state of this store or they are too many."""
        if covered.seq:
            found = connection.execute(sa.select(ChangeRow.id).where(ChangeRow.seq == covered.seq)).scalar_one_or_none()
            if found != covered.id:
                return None
        later = sa.select(ChangeRow.__table__).where(ChangeRow.seq > covered.seq).order_by(ChangeRow.seq)
        rows = connection.execute(later.limit(most + 1)).all()
        return None if len(rows) > most else [_change(row) for row in rows]

    # --- uses ---------------------------------------------------------------------------------------------------------

    @staticmethod
    def uses(connection: sa.Connection) -> list[Use]:
        """Return what everybody uses."""
        return [Use(*row) for row in connection.execute(sa.select(UseRow.__table__))]

    @staticmethod
    def put_use(unit: Unit, use: Use) -> None:
        """Write one use in place of what was there."""
        table = sa.delete(UseRow).where(UseRow.principal == use.principal, UseRow.contact_id == use.contact_id)
        unit.connection.execute(table)
        unit.connection.execute(sa.insert(UseRow).values(**msgspec.structs.asdict(use)))


def changes(before: Contact | None, after: Contact | None) -> dict[str, Any]:
    """Return [before, after] of every field that differs; a number is told in its domestic form with its kind."""
    old, new = _told(before), _told(after)
    return {name: [old.get(name), new.get(name)] for name in {**old, **new} if old.get(name) != new.get(name)}


def _told(contact: Contact | None) -> Mapping[str, Any]:
    if contact is None:
        return {}
    told: dict[str, Any] = msgspec.to_builtins(contact)
    del told["id"]
    told["numbers"] = [f"{number.number} {number.kind} {number.priority}" for number in contact.numbers]
    return {name: value for name, value in told.items() if value not in ("", [], None, False)}


def _note(unit: Unit, by: str, told: Iterable[tuple[str, str | None, str | None, dict[str, Any]]]) -> None:
    last = unit.connection.execute(sa.select(sa.func.max(ChangeRow.seq))).scalar_one() or 0
    rows = [
        {
            "seq": seq,
            "id": new_id(),
            "at": unit.now,
            "principal": by[:64],
            "action": action,
            "contact_id": contact_id,
            "unit": name,
            "fields": fields,
        }
        for seq, (action, contact_id, name, fields) in enumerate(told, last + 1)
    ]
    if rows:
        unit.connection.execute(sa.insert(ChangeRow), rows)


def _change(row: sa.Row[Any]) -> Change:
    return Change(
        seq=row.seq,
        at=row.at,
        by=row.principal,
        action=row.action,
        contact_id=row.contact_id,
        unit=row.unit,
        fields=row.fields,
    )


def _with_numbers(connection: sa.Connection, contacts: sa.Select[Any], wanted_numbers: sa.Select[Any]) -> list[Contact]:
    numbers: dict[str, list[ContactNumber]] = {}
    for row in connection.execute(wanted_numbers.order_by(ContactNumberRow.contact_id, ContactNumberRow.place)):
        number = ContactNumber(
            written=row.written, canonical=row.canonical, number=row.number, kind=row.kind, priority=row.priority
        )
        numbers.setdefault(row.contact_id, []).append(number)
    rows = connection.execute(contacts.order_by(ContactRow.unit, ContactRow.name, ContactRow.post)).mappings()
    return [msgspec.convert({**row, "numbers": numbers.get(row["id"], [])}, Contact, strict=False) for row in rows]


def _contact_row(contact: Contact) -> dict[str, object]:
    row = msgspec.structs.asdict(contact)
    del row["numbers"]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in row.items()}
