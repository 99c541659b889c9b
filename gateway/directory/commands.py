"""What the directory can be asked."""

from typing import Annotated, Any

import msgspec

from gateway.commands.spec import BoundCommand, CommandContext, CommandSpec
from gateway.core.events import Message
from gateway.core.text import Text
from gateway.directory.contact import ContactRef
from gateway.directory.index import Found
from gateway.directory.service import DirectoryService

Query = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class Search(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Search contacts by unit, name, post, alias or number."""

    text: Query
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


class Lookup(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask whose number it is."""

    number: Query


class NumberShown(Message, frozen=True, kw_only=True):
    """A number that can be dialled, and its kind."""

    number: str
    kind: str


class Match(Message, frozen=True, kw_only=True):
    """Why a contact was found."""

    field: str
    reason: str


class ContactShown(Message, frozen=True, kw_only=True):
    """A contact as an answer of a search."""

    id: str
    unit: str
    name: str
    post: str
    numbers: list[NumberShown]
    match: Match


class Contacts(Message, frozen=True, kw_only=True):
    """Contacts that were found, best first."""

    contacts: list[ContactShown]


class Owners(Message, frozen=True, kw_only=True):
    """Whose number it is, best first."""

    contacts: list[ContactRef]


SEARCH = CommandSpec(
    name="dir.search", body=Search, result=Contacts, summary=Text("Search contacts", "搜索通讯录"), max_ttl_s=30.0
)
LOOKUP = CommandSpec(
    name="dir.lookup", body=Lookup, result=Owners, summary=Text("Whose number it is", "按号码查联系人"), max_ttl_s=30.0
)


def shown(found: Found) -> ContactShown:
    """Return one answer of a search in its public form."""
    contact = found.contact
    return ContactShown(
        id=contact.id,
        unit=contact.unit,
        name=contact.name,
        post=contact.post,
        numbers=[NumberShown(number=number.number, kind=number.kind) for number in contact.numbers],
        match=Match(field=found.field, reason=found.reason),
    )


def commands(service: DirectoryService) -> list[BoundCommand[Any, Any]]:
    """Bind the directory's commands to *service*."""

    async def search(body: Search, _context: CommandContext) -> Contacts:
        return Contacts(contacts=[shown(found) for found in await service.search(body.text, body.limit)])

    async def lookup(body: Lookup, _context: CommandContext) -> Owners:
        return Owners(contacts=service.lookup(body.number))

    return [BoundCommand(SEARCH, search), BoundCommand(LOOKUP, lookup)]
