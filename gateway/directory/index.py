"""The directory in memory: reverse lookup by number, and a first simple search."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from gateway.directory.contact import Contact, ContactNumber, ContactRef
from gateway.directory.numbers import Numbering, fold

_MAX_QUERY = 100
_FAX_RANK = 10_000  # a fax machine's number names its owner too, but after every telephone


@dataclass(frozen=True, slots=True)
class Found:
    """One answer of a search. A lower ``rank`` is better."""

    contact: Contact
    field: str
    reason: str
    rank: int


@dataclass(frozen=True, slots=True)
class _Entry:
    contact: Contact
    folded: tuple[tuple[str, str], ...]  # (field, text to search in), the most telling field first
    digits: tuple[str, ...]


class DirectoryIndex:
    """An unchanging view of all contacts; a change builds a new one. Building 10,000 contacts takes about 0.3 s."""

    def __init__(self, contacts: Iterable[Contact], numbering: Numbering) -> None:
        self._numbering = numbering
        self._entries: list[_Entry] = []
        self._by_number: dict[str, list[tuple[int, Contact, str]]] = {}
        for contact in contacts:
            self._add(contact)

    def __len__(self) -> int:
        return len(self._entries)

    def lookup(self, written: str, day: date) -> list[ContactRef]:
        """Return whose number it is, best first: valid on *day*, by priority, then by unit and name."""
        number = self._numbering.parse(written)
        if number is None:
            return []
        ordered: list[tuple[int, Contact, str]] = []
        for key in dict.fromkeys((number.full, number.value)):  # the one with the extension knows better
            valid = (entry for entry in self._by_number.get(key, ()) if entry[1].valid_on(day))
            ordered += sorted(valid, key=lambda entry: (entry[0], entry[1].key))
        refs: dict[str, ContactRef] = {}
        for _, contact, kind in ordered:
            refs.setdefault(contact.id, _ref(contact, kind))
        return list(refs.values())

    def search(self, text: str, limit: int) -> list[Found]:
        """Return contacts in which every word of *text* occurs, best first. Linear: not for the event loop."""
        words = fold(text[:_MAX_QUERY]).casefold().split()
        if not words:
            return []
        found = []
        for entry in self._entries:
            matches = [self._match(entry, word) for word in words]
            if all(match is not None for match in matches):
                rank, name, reason = min(match for match in matches if match is not None)
                total = sum(match[0] for match in matches if match is not None)
                found.append((total, rank, entry.contact.key, Found(entry.contact, name, reason, total)))
        found.sort(key=lambda item: item[:3])
        return [item[3] for item in found[: max(0, limit)]]

    def all(self) -> list[Contact]:
        """Return every contact."""
        return [entry.contact for entry in self._entries]

    @staticmethod
    def _match(entry: _Entry, word: str) -> tuple[int, str, str] | None:
        best: tuple[int, str, str] | None = None
        for order, (name, text) in enumerate(entry.folded):
            if text == word:
                candidate = (order, name, "exact")
            elif text.startswith(word):
                candidate = (10 + order, name, "prefix")
            elif word in text:
                candidate = (20 + order, name, "substring")
            else:
                continue
            best = candidate if best is None else min(best, candidate)
        digits = word.lstrip("+").replace("-", "")
        if digits.isdigit():
            for text in entry.digits:
                if digits in text:
                    reason, rank = ("exact", 0) if digits == text else ("substring", 25)
                    candidate = (rank, "phone", reason)
                    best = candidate if best is None else min(best, candidate)
        return best

    def _add(self, contact: Contact) -> None:
        fields = [
            ("name", contact.name),
            *(("alias", alias) for alias in contact.aliases),
            ("unit", contact.unit),
            ("post", contact.post),
            *(("group", group) for group in contact.groups),
        ]
        folded = tuple((name, fold(text).casefold()) for name, text in fields if text)
        digits: dict[str, None] = {}
        for number in contact.numbers:
            digits.update(dict.fromkeys(_digit_forms(number)))
            self._remember(number.canonical, number.priority, contact, number.kind)
            if ";" in number.canonical:
                # The exchange shows a caller without its extension: the main number then names all who share it.
                self._remember(number.canonical.partition(";")[0], number.priority + 1000, contact, number.kind)
        for written in contact.fax:
            fax = self._numbering.parse(written)
            if fax is not None:
                self._remember(fax.full, _FAX_RANK, contact, "fax")
        self._entries.append(_Entry(contact, folded, tuple(digits)))

    def _remember(self, canonical: str, rank: int, contact: Contact, kind: str) -> None:
        self._by_number.setdefault(canonical, []).append((rank, contact, kind))


def _digit_forms(number: ContactNumber) -> list[str]:
    texts = (number.canonical.partition(";")[0], number.number.partition("-")[0], number.written)
    return ["".join(char for char in text if char.isascii() and char.isdigit()) for text in texts]


def _ref(contact: Contact, kind: str) -> ContactRef:
    return ContactRef(id=contact.id, unit=contact.unit, name=contact.name, post=contact.post, kind=kind)
