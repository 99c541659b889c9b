"""The directory in memory: search as one types, and reverse lookup by number.

One large segment holds what was there at the last compaction, one small segment what has changed since; a contact that
changed is dead in the large one. A change makes a new :class:`DirectoryIndex`, so that a search in another thread sees
one state or the other.
"""

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from gateway.directory import matching
from gateway.directory.contact import Contact, ContactRef, OrgUnit
from gateway.directory.matching import Term
from gateway.directory.numbers import Numbering, NumberKind, fold
from gateway.directory.query import LONGEST_QUERY, terms_of
from gateway.directory.readings import fold_text
from gateway.directory.segment import Segment
from gateway.directory.segment_build import Keys, build
from gateway.directory.segment_search import Scored, contacts_with, search_segment

MOST_CHANGED = 1000
"""Contacts that may differ from the large segment before it is to be made anew."""
_FAX_RANK = 10_000  # a fax machine's number names its owner too, but after every telephone
_WRITTEN_NUMBER = re.compile(r"[+(]?[0-9][0-9 ().+-]*")
_DEEPEST = 32
_SLACK = 12
_LONGEST_SPLIT = 24  # characters of a unit and a name in one
_MOST_FAVOURED = 16  # operators whose favoured contacts are kept ready


@dataclass(frozen=True, slots=True)
class Found:
    """One answer of a search: the contact, and by which field and why it fits."""

    contact: Contact
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Favour:
    """What lifts a contact among equal matches: it is on duty now; this operator uses it (more is higher)."""

    on_duty: frozenset[str] = frozenset()
    used: Mapping[str, float] = field(default_factory=dict)


def _everybody(_contact: Contact) -> bool:
    return True


class DirectoryIndex:
    """An unchanging view of all contacts. Making it takes about 0.1 ms a contact: not for the event loop."""

    def __init__(
        self,
        contacts: Iterable[Contact],
        numbering: Numbering,
        *,
        units: Mapping[str, OrgUnit] | None = None,
        base: Segment | None = None,
        dead: frozenset[int] = frozenset(),
    ) -> None:
        """Index *contacts*; with *base* they are what changed since, and *dead* what no longer stands there."""
        everyone = list(contacts)
        self._numbering = numbering
        self._units = _tree(units or {}, everyone)
        everyone.sort(key=self._standing)
        segment = build(everyone, self._keys, self._aliases)
        self._segments: tuple[Segment, ...] = (segment,) if base is None else (base, segment)
        self._changed = {} if base is None else {contact.id: contact for contact in everyone}
        self._dead = dead
        self._none = segment if not everyone else build((), self._keys, self._aliases)
        self._favoured_made: dict[frozenset[str], Segment] = {}

    def __len__(self) -> int:
        return self._segments[0].contact_count - len(self._dead) + len(self._changed)

    @property
    def base(self) -> Segment:
        """The large segment, to be saved."""
        return self._segments[0]

    @property
    def units(self) -> Mapping[str, OrgUnit]:
        """Every unit that is known, by its name."""
        return self._units

    @property
    def changed_count(self) -> int:
        """How many contacts differ from :attr:`base`."""
        return len(self._changed) + len(self._dead)

    def with_changes(
        self, put: Iterable[Contact], removed: Iterable[str] = (), units: Iterable[OrgUnit] = ()
    ) -> "DirectoryIndex":
        """Return this index with contacts put (by their id) and removed. Costs about 0.1 ms for each change so far.

        Where a unit's aliases have changed, its contacts must be among those put.
        """
        put = list(put)
        removed = tuple(removed)
        gone = (*(contact.id for contact in put), *removed)
        places = (self.base.of_id(identifier) for identifier in gone)
        changed = {**self._changed, **{contact.id: contact for contact in put}}
        for identifier in removed:
            changed.pop(identifier, None)
        tree = {**self._units, **{unit.name: unit for unit in units}}
        dead = self._dead.union(place for place in places if place is not None)
        if len(changed) + len(dead) > MOST_CHANGED * 4:  # a large file: one segment is made sooner than two
            everyone = (
                *(self.base.contact(n) for n in range(self.base.contact_count) if n not in dead),
                *changed.values(),
            )
            return DirectoryIndex(everyone, self._numbering, units=tree)
        return DirectoryIndex(changed.values(), self._numbering, units=tree, base=self.base, dead=dead)

    def since(self, before: "DirectoryIndex") -> tuple[list[Contact], list[str]]:
        """Return what was put and what was removed since *before*, of which this one was made by changes only."""
        put = [contact for key, contact in self._changed.items() if before._changed.get(key) is not contact]  # noqa: SLF001
        known = {*before._changed, *(self.base.contact(place).id for place in self._dead - before._dead)}  # noqa: SLF001
        return put, sorted(key for key in known if self.get(key) is None)

    def compacted(self) -> "DirectoryIndex":
        """Return the same contacts as one segment."""
        return DirectoryIndex(self.all(), self._numbering, units=self._units)

    def all(self) -> Iterator[Contact]:
        """Yield every contact in the standing order, some at a time."""
        return heapq.merge(
            *(self._alive(number) for number in range(len(self._segments))),
            key=self._standing,
        )

    def get(self, identifier: str) -> Contact | None:
        """Return the contact with this id."""
        if identifier in self._changed:
            return self._changed[identifier]
        place = self._segments[0].of_id(identifier)
        return None if place is None or place in self._dead else self._segments[0].contact(place)

    # --- whose number it is -------------------------------------------------------------------------------------------

    def lookup(self, written: str, day: date) -> list[ContactRef]:
        """Return whose number it is, best first: valid on *day*, by priority, then by unit and name."""
        number = self._numbering.parse(written)
        if number is None:
            return []
        refs: dict[str, ContactRef] = {}
        for key in dict.fromkeys((number.full, number.value)):  # the one with the extension knows better
            owners = [
                (rank, contact.key, contact, kind)
                for contact in self._with_number(key)
                if contact.valid_on(day)
                for rank, kind in self._ranks(contact, key)
            ]
            for _, _, contact, kind in sorted(owners, key=lambda owner: owner[:2]):
                refs.setdefault(contact.id, _ref(contact, kind))
        return list(refs.values())

    def _with_number(self, canonical: str) -> Iterator[Contact]:
        for place, segment in enumerate(self._segments):
            for number in segment.of_number(canonical):
                if place or number not in self._dead:
                    yield segment.contact(number)

    def _ranks(self, contact: Contact, key: str) -> Iterator[tuple[int, str]]:
        for number in contact.numbers:
            if number.canonical == key:
                yield number.priority, number.kind
            elif number.canonical.partition(";")[0] == key:
                # The exchange shows a caller without its extension: the main number then names all who share it.
                yield number.priority + 1000, number.kind
        for written in contact.fax:
            fax = self._numbering.parse(written)
            if fax is not None and fax.full == key:
                yield _FAX_RANK, "fax"

    # --- search -------------------------------------------------------------------------------------------------------

    def members(self, group: str) -> list[Contact]:
        """Return the contacts of a group, in the standing order."""
        return [found.contact for found in self._in_field(group, "group", lambda contact: group in contact.groups)]

    def of_unit(self, unit: str) -> list[Contact]:
        """Return the contacts of a unit itself, in the standing order."""
        return [found.contact for found in self._in_field(unit, "unit", lambda contact: contact.unit == unit)]

    def _in_field(self, text: str, name: str, fits: Callable[[Contact], bool]) -> Iterator[Found]:
        term = Term(fold_text(text).replace(" ", ""))
        for number, segment in enumerate(self._segments):
            for place in contacts_with(segment, term, name):
                contact = segment.contact(place)
                if (number or place not in self._dead) and fits(contact):
                    yield Found(contact, name, "exact")

    def search(
        self,
        text: str,
        limit: int,
        *,
        favour: Favour | None = None,
        visible: Callable[[Contact], bool] = _everybody,
    ) -> list[Found]:
        """Return contacts that fit every term of *text*, best first; the same question gives the same order.

        Exact matches come first; then who is on duty, whom this operator uses, how well it fits, and the unit's level.
        Abbreviations and homophones are looked for when there are fewer than *limit*, slips when there are none.
        """
        terms = self._terms(text)
        if not terms or limit < 1:
            return []
        favour = favour or Favour()
        found: list[Found] = []
        for reach in (matching.PLAIN, matching.WIDE, matching.SLIPS):
            found = self._search(terms, limit, favour, visible, reach)
            if len(found) >= limit or (found and reach == matching.WIDE):
                break
        if not found and len(terms) == 1:
            for split in _splits(terms[0]):
                found = self._search(split, limit, favour, visible, matching.WIDE)
                if found:
                    break
        return found

    def _search(
        self, terms: Sequence[Term], limit: int, favour: Favour, visible: Callable[[Contact], bool], reach: int
    ) -> list[Found]:
        answers: dict[str, tuple[tuple[object, ...], Found]] = {}
        for number, segment in enumerate((*self._segments, self._favoured(favour))):
            dead = self._dead if number == 0 else frozenset()
            want = limit + _SLACK
            while True:
                scored, complete = search_segment(segment, terms, want, reach)
                shown = [(one, segment.contact(one.place)) for one in scored if one.place not in dead]
                shown = [(one, contact) for one, contact in shown if visible(contact)]
                if complete or len(shown) >= limit:
                    break
                want *= 8
            for one, contact in shown:
                answers[contact.id] = self._rank(one, contact, favour), Found(contact, one.field, one.reason)
        return [found for _, found in sorted(answers.values(), key=lambda answer: answer[0])[:limit]]

    def _favoured(self, favour: Favour) -> Segment:
        """Return those who may come first in a small segment of their own, so that none of them is cut off."""
        wanted = frozenset((*favour.on_duty, *favour.used))
        if not wanted:
            return self._none
        made = self._favoured_made.get(wanted)
        if made is None:
            contacts = (self.get(identifier) for identifier in sorted(wanted))
            present = sorted((contact for contact in contacts if contact is not None), key=self._standing)
            made = build(present, self._keys, self._aliases)
            if len(self._favoured_made) >= _MOST_FAVOURED:
                self._favoured_made.clear()
            self._favoured_made[wanted] = made
        return made

    def _rank(self, one: Scored, contact: Contact, favour: Favour) -> tuple[object, ...]:
        return (
            0 if one.exact else 2 if one.slip else 1,
            contact.id not in favour.on_duty,
            -favour.used.get(contact.id, 0.0),
            one.score,
            *self._standing(contact),
        )

    def _terms(self, text: str) -> list[Term]:
        text = text[:LONGEST_QUERY]
        written = fold(text)
        if _WRITTEN_NUMBER.fullmatch(written):
            number = self._numbering.parse(written)
            if number is not None and number.kind is not NumberKind.OTHER:
                typed = _digits(written)
                shown = _digits(self._numbering.domestic(number).partition("-")[0])
                return [Term(typed, tuple(dict.fromkeys((typed, shown))))]
        return [Term(term, (term,) if _is_digits(term) else ()) for term in terms_of(text)]

    def _keys(self, contact: Contact) -> Keys:
        canonical: dict[str, None] = {}
        phone: dict[str, None] = {}
        for number in contact.numbers:
            main, _, extension = number.canonical.partition(";ext=")
            canonical |= {number.canonical: None, main: None}
            phone |= dict.fromkeys(text for text in (_digits(number.number.partition("-")[0]), extension) if text)
        for written in contact.fax:
            fax = self._numbering.parse(written)
            if fax is not None:
                canonical[fax.full] = None
        return Keys(
            canonical=tuple(canonical),
            phone=tuple(phone),
            fax=tuple(dict.fromkeys(digits for text in contact.fax if (digits := _digits(text)))),
            radio=tuple(dict.fromkeys(digits for text in contact.radio if (digits := _digits(text)))),
        )

    def _aliases(self, contact: Contact) -> tuple[str, ...]:
        unit = self._units.get(contact.unit)
        return () if unit is None else unit.aliases

    def _alive(self, number: int) -> Iterator[Contact]:
        segment = self._segments[number]
        return (segment.contact(place) for place in range(segment.contact_count) if number or place not in self._dead)

    def _standing(self, contact: Contact) -> tuple[int, str, str, str, str]:
        """The order of equal matches: units nearer to the top, then by unit, name and post."""
        return (self.level(contact.unit), contact.unit, contact.name, contact.post, contact.id)

    def level(self, unit: str) -> int:
        """Return how many units are above *unit*."""
        level = 0
        while level < _DEEPEST and (known := self._units.get(unit)) is not None and known.parent:
            unit, level = known.parent, level + 1
        return level


def _tree(units: Mapping[str, OrgUnit], contacts: Iterable[Contact]) -> dict[str, OrgUnit]:
    """Add to *units* what the contacts tell of the unit above theirs."""
    tree = dict(units)
    for contact in contacts:
        if contact.parent_unit and contact.unit not in tree:
            tree[contact.unit] = OrgUnit(name=contact.unit, parent=contact.parent_unit)
    return tree


def _splits(term: Term) -> Iterator[list[Term]]:
    """Unit and name typed without a space: 消防支队单雄信."""
    if term.text.isascii() or len(term.text) > _LONGEST_SPLIT:
        return
    for place in range(len(term.text) - 2, 1, -1):
        yield [Term(term.text[:place]), Term(term.text[place:])]


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _digits(text: str) -> str:
    return "".join(char for char in text if "0" <= char <= "9")


def _ref(contact: Contact, kind: str) -> ContactRef:
    return ContactRef(id=contact.id, unit=contact.unit, name=contact.name, post=contact.post, kind=kind)
