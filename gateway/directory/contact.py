"""A contact as a plain value: who it is and how it is reached."""

from datetime import date
from typing import NamedTuple

from gateway.core.events import Message


class ContactNumber(Message, frozen=True, kw_only=True):
    """One number of a contact.

    ``written`` is the text of the source, ``canonical`` the form that lookups compare, ``number`` the form that people
    read and dial. A lower ``priority`` is tried first.
    """

    written: str
    canonical: str
    number: str
    kind: str
    priority: int = 100


class ContactKey(NamedTuple):
    """Rows that agree in these three are one contact."""

    unit: str
    name: str
    post: str


class Contact(Message, frozen=True, kw_only=True):
    """A unit, a person or a post, with everything by which it is reached. ``id`` is empty until it is stored."""

    id: str = ""
    unit: str
    parent_unit: str = ""
    name: str = ""
    post: str = ""
    numbers: tuple[ContactNumber, ...] = ()
    fax: tuple[str, ...] = ()
    radio: tuple[str, ...] = ()
    email: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None
    notes: str = ""
    confidential: bool = False  # shown only to those with the right ``dir.confidential``

    @property
    def key(self) -> ContactKey:
        """What makes it the same contact in the next import."""
        return ContactKey(self.unit, self.name, self.post)

    def valid_on(self, day: date) -> bool:
        """Tell whether it is valid on *day*; both ends belong to the time."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


class OrgUnit(Message, frozen=True, kw_only=True):
    """One unit of the tree: ``parent`` is the name of the unit above, empty at the top.

    Aliases are other names by which people call it, 市委办 for 中共某市委员会办公室; they find every contact of it.
    """

    name: str
    parent: str = ""
    aliases: tuple[str, ...] = ()


class ContactRef(Message, frozen=True, kw_only=True):
    """A contact as other records keep it: a snapshot that stays readable when the contact is changed or gone."""

    id: str
    unit: str
    name: str
    post: str
    kind: str = ""

    @property
    def label(self) -> str:
        """One line for a telephone's display, without anything that cannot be shown."""
        line = " ".join(part for part in (self.unit, self.name, self.post) if part)
        return "".join(char for char in line if char.isprintable())
