"""What the directory can be asked, and told."""

from datetime import date
from typing import Annotated, Any

import msgspec

from gateway.commands.spec import BoundCommand, CommandContext, CommandSpec
from gateway.core.errors import InvalidInputError
from gateway.core.events import Message
from gateway.core.text import Text
from gateway.directory.callers import Caller
from gateway.directory.contact import Contact, OrgUnit
from gateway.directory.index import Found
from gateway.directory.repository import Change
from gateway.directory.service import DirectoryService

Query = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Id = Annotated[str, msgspec.Meta(pattern="^[0-9a-z]{26}$")]
Line = Annotated[str, msgspec.Meta(max_length=200)]
Lines = Annotated[tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=200)], ...], msgspec.Meta(max_length=50)]


class Search(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Search contacts by unit, name, post, alias, pinyin or number."""

    text: Query
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 20


class Lookup(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask whose number it is."""

    number: Query


class ContactId(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name one contact."""

    id: Id


class HistoryOf(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask who changed a contact; ``before_seq`` pages on."""

    id: Id
    before_seq: int | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class NumberPut(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number as people write it; a lower priority is tried first. Without a kind it is mobile or office."""

    number: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    kind: Annotated[str, msgspec.Meta(max_length=32)] = ""
    priority: Annotated[int, msgspec.Meta(ge=0, le=999)] = 100


class ContactPut(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Create a contact (without an id), or replace the one with this id whole."""

    id: Id | None = None
    unit: Line = ""
    parent_unit: Line = ""
    name: Line = ""
    post: Line = ""
    numbers: Annotated[tuple[NumberPut, ...], msgspec.Meta(max_length=50)] = ()
    fax: Lines = ()
    radio: Lines = ()
    email: Lines = ()
    groups: Lines = ()
    aliases: Lines = ()
    valid_from: date | None = None
    valid_to: date | None = None
    notes: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    confidential: bool = False


class UnitPut(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Create a unit of the tree, or replace the one with this name."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    parent: Line = ""
    aliases: Lines = ()


class GroupOf(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name a group."""

    group: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Nothing(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing needs to be said."""


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


class ContactList(Message, frozen=True, kw_only=True):
    """Contacts, whole."""

    contacts: list[Contact]


class Units(Message, frozen=True, kw_only=True):
    """The tree, as each unit with the one above it."""

    units: list[OrgUnit]


class History(Message, frozen=True, kw_only=True):
    """Who changed what and when, the latest first."""

    changes: list[Change]


SEARCH = CommandSpec(
    name="dir.search", body=Search, result=Contacts, summary=Text("Search contacts", "搜索通讯录"), max_ttl_s=30.0
)
LOOKUP = CommandSpec(
    name="dir.lookup", body=Lookup, result=Caller, summary=Text("Whose number it is", "按号码查联系人"), max_ttl_s=30.0
)
CONTACT_READ = CommandSpec(
    name="dir.contact_read", body=ContactId, result=Contact, summary=Text("Show a contact", "查看联系人")
)
CONTACT_PUT = CommandSpec(
    name="dir.contact_put",
    body=ContactPut,
    result=Contact,
    summary=Text("Create or change a contact", "新增或修改联系人"),
)
CONTACT_REMOVE = CommandSpec(
    name="dir.contact_remove", body=ContactId, result=ContactId, summary=Text("Remove a contact", "删除联系人")
)
HISTORY_READ = CommandSpec(
    name="dir.history_read", body=HistoryOf, result=History, summary=Text("Who changed a contact", "联系人变更记录")
)
GROUP_READ = CommandSpec(
    name="dir.group_read", body=GroupOf, result=ContactList, summary=Text("Who is in a group", "查看分组成员")
)
UNIT_PUT = CommandSpec(
    name="dir.unit_put", body=UnitPut, result=OrgUnit, summary=Text("Create or change a unit", "新增或修改单位")
)
UNITS_READ = CommandSpec(name="dir.units_read", body=Nothing, result=Units, summary=Text("The tree of units", "单位树"))


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


def contact_of(service: DirectoryService, body: ContactPut) -> Contact:
    """Return what is to be written; raise when a number is none."""
    numbers = []
    for written in body.numbers:
        number = service.number(written.number, written.kind, written.priority)
        if number is None:
            raise InvalidInputError(field="numbers", reason=f"{written.number!r} is not a telephone number")
        numbers.append(number)
    numbers.sort(key=lambda number: number.priority)
    fields = msgspec.structs.asdict(body)
    return Contact(**{**fields, "id": body.id or "", "numbers": tuple(numbers)})


def commands(service: DirectoryService) -> list[BoundCommand[Any, Any]]:
    """Bind the directory's commands to *service*."""

    async def search(body: Search, context: CommandContext) -> Contacts:
        found = await service.search(body.text, body.limit, principal=context.principal)
        return Contacts(contacts=[shown(one) for one in found])

    async def lookup(body: Lookup, context: CommandContext) -> Caller:
        return await service.caller(body.number, context.principal)

    async def contact_read(body: ContactId, context: CommandContext) -> Contact:
        return service.get(body.id, context.principal)

    async def contact_put(body: ContactPut, context: CommandContext) -> Contact:
        return await service.put(contact_of(service, body), principal=context.principal)

    async def contact_remove(body: ContactId, context: CommandContext) -> ContactId:
        await service.remove(body.id, principal=context.principal)
        return body

    async def history_read(body: HistoryOf, context: CommandContext) -> History:
        told = await service.history(body.id, context.principal, before_seq=body.before_seq, limit=body.limit)
        return History(changes=told)

    async def group_read(body: GroupOf, context: CommandContext) -> ContactList:
        return ContactList(contacts=service.members(body.group, context.principal))

    async def unit_put(body: UnitPut, context: CommandContext) -> OrgUnit:
        unit = OrgUnit(**msgspec.structs.asdict(body))
        await service.put_unit(unit, principal=context.principal)
        return unit

    async def units_read(_body: Nothing, _context: CommandContext) -> Units:
        return Units(units=service.units())

    return [
        BoundCommand(SEARCH, search),
        BoundCommand(LOOKUP, lookup),
        BoundCommand(CONTACT_READ, contact_read),
        BoundCommand(CONTACT_PUT, contact_put),
        BoundCommand(CONTACT_REMOVE, contact_remove),
        BoundCommand(HISTORY_READ, history_read),
        BoundCommand(GROUP_READ, group_read),
        BoundCommand(UNIT_PUT, unit_put),
        BoundCommand(UNITS_READ, units_read),
    ]
