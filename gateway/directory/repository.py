"""Contacts in the store."""

from collections.abc import Sequence
from datetime import date

import msgspec
import sqlalchemy as sa
from sqlalchemy import orm

from gateway.core.ids import new_id
from gateway.directory.contact import Contact, ContactKey, ContactNumber
from gateway.store.unit import Base, Unit


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


class Tally(msgspec.Struct, frozen=True):
    """What an import did, or would do."""

    created: int
    changed: int
    unchanged: int


class DirectoryRepository:
    """Reads and writes contacts; without state of its own."""

    @staticmethod
    def all(connection: sa.Connection) -> list[Contact]:
        """Return every contact with its numbers."""
        numbers: dict[str, list[ContactNumber]] = {}
        for row in connection.execute(
            sa.select(ContactNumberRow.__table__).order_by(ContactNumberRow.contact_id, ContactNumberRow.place)
        ):
            numbers.setdefault(row.contact_id, []).append(
                ContactNumber(
                    written=row.written,
                    canonical=row.canonical,
                    number=row.number,
                    kind=row.kind,
                    priority=row.priority,
                )
            )
        rows = connection.execute(
            sa.select(ContactRow.__table__).order_by(ContactRow.unit, ContactRow.name, ContactRow.post)
        ).mappings()
        return [msgspec.convert({**row, "numbers": numbers.get(row["id"], [])}, Contact, strict=False) for row in rows]

    @classmethod
    def compare(cls, connection: sa.Connection, contacts: Sequence[Contact]) -> tuple[Tally, list[Contact]]:
        """Return what importing *contacts* does, and those to be written, with their ids."""
        stored: dict[ContactKey, Contact] = {contact.key: contact for contact in cls.all(connection)}
        write: list[Contact] = []
        created = 0
        for contact in contacts:
            before = stored.get(contact.key)
            after = msgspec.structs.replace(contact, id=new_id() if before is None else before.id)
            created += before is None
            if after != before:
                write.append(after)
        tally = Tally(created=created, changed=len(write) - created, unchanged=len(contacts) - len(write))
        return tally, write

    @staticmethod
    def put(unit: Unit, contacts: Sequence[Contact]) -> None:
        """Write *contacts* whole, replacing those of the same id."""
        if not contacts:
            return
        ids = [contact.id for contact in contacts]
        for start in range(0, len(ids), 500):  # SQLite takes a bounded number of parameters
            part = ids[start : start + 500]
            unit.connection.execute(sa.delete(ContactNumberRow).where(ContactNumberRow.contact_id.in_(part)))
            unit.connection.execute(sa.delete(ContactRow).where(ContactRow.id.in_(part)))
        unit.connection.execute(sa.insert(ContactRow), [_contact_row(contact) for contact in contacts])
        numbers = [
            {"contact_id": contact.id, "place": place, **msgspec.structs.asdict(number)}
            for contact in contacts
            for place, number in enumerate(contact.numbers)
        ]
        if numbers:
            unit.connection.execute(sa.insert(ContactNumberRow), numbers)


def _contact_row(contact: Contact) -> dict[str, object]:
    row = msgspec.structs.asdict(contact)
    del row["numbers"]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in row.items()}
