"""A part of the directory as arrays: contacts in the order in which equal matches are shown, and the keys to find them.

Contacts are numbered from 0 in their standing order (unit level, unit, name, post), so that the best of many equal
matches are those with the lowest numbers. Equal texts are kept once. All of it is arrays of numbers and bytes, which
take a fifth of the memory of objects and are mapped from a file without being read.
"""

import hashlib
from typing import NamedTuple

import msgspec
import numpy as np

from gateway.directory.columns import I64, U8, U16, U32, U64, Column, Postings
from gateway.directory.contact import Contact, ContactNumber

TEXT_FIELDS = ("name", "alias", "unit", "post", "parent_unit", "group", "email")
NUMBER_FIELDS = ("phone", "fax", "radio")
CHAR_BITS, CHARS = 16, 4
SYLLABLE_BITS, SYLLABLES = 9, 7
INITIALS = 10
DIGIT_BITS, DIGITS = 4, 15
LONG_TEXT = 5  # characters from which a text may be abbreviated
LONG_WIDTH = 24


class _PackedNumber(ContactNumber, frozen=True, kw_only=True, array_like=True):
    pass


class _Packed(Contact, frozen=True, kw_only=True, array_like=True):
    """A contact without the names of its fields, which would be half of it."""

    numbers: tuple[_PackedNumber, ...] = ()


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Packed)
LAYOUT = ",".join((*_Packed.__struct_fields__, *_PackedNumber.__struct_fields__))
"""The order of the fields in the blob."""


def packed(contact: Contact) -> bytes:
    """Return a contact as bytes for the blob."""
    numbers = [msgspec.structs.astuple(number) for number in contact.numbers]
    return _encoder.encode(
        [numbers if name == "numbers" else getattr(contact, name) for name in _Packed.__struct_fields__]
    )


def _unpacked(raw: bytes) -> Contact:
    values = msgspec.structs.asdict(_decoder.decode(raw))
    values["numbers"] = tuple(ContactNumber(**msgspec.structs.asdict(number)) for number in values["numbers"])
    return Contact(**values)


class Segment(NamedTuple):
    """The arrays; a *head* column has the beginnings of texts, a *tail* column the places within them."""

    chars: U32  # code points in use; a character's number is its index
    blob: U8  # contacts as MessagePack, one after the other
    blob_start: I64
    id_hash: U64
    id_contact: U32
    lookup_hash: U64
    lookup_contact: U32
    text_blob: U8  # folded texts in UTF-8
    text_start: I64
    long_chars: U16  # (texts of LONG_TEXT and more, LONG_WIDTH): their characters; such texts have the lowest numbers
    long_syllables: U16  # the same, as they are read first
    char_head: Column
    char_tail: Column
    syllable_head: Column
    syllable_tail: Column
    initial_head: Column  # more: the syllables
    initial_tail: Column
    t9_head: Column
    t9_initial_head: Column
    number_head: Column
    number_tail: Column
    text_fields: tuple[Postings, ...]
    number_fields: tuple[Postings, ...]
    entry_start: U32  # of contact c: entries entry_start[c]:entry_start[c + 1]
    entry_text: U32  # a text, or text_count + a number
    entry_field: U8
    weight: U32  # how many contacts have a text, or text_count + a number

    @property
    def contact_count(self) -> int:
        """How many contacts there are."""
        return len(self.blob_start) - 1

    @property
    def text_count(self) -> int:
        """How many different texts there are."""
        return len(self.text_start) - 1

    def contact(self, number: int) -> Contact:
        """Return one contact."""
        raw = self.blob[int(self.blob_start[number]) : int(self.blob_start[number + 1])]
        return _unpacked(raw.tobytes())

    def text(self, number: int) -> str:
        """Return one folded text."""
        raw = self.text_blob[int(self.text_start[number]) : int(self.text_start[number + 1])]
        return raw.tobytes().decode()

    def of_id(self, identifier: str) -> int | None:
        """Return the number of the contact with this id, if it is here."""
        for number in _equal(self.id_hash, self.id_contact, hash_of(identifier)):
            if self.contact(number).id == identifier:
                return number
        return None

    def of_number(self, canonical: str) -> list[int]:
        """Return the contacts that may have this number; a collision of hashes is possible."""
        return _equal(self.lookup_hash, self.lookup_contact, hash_of(canonical))


def hash_of(text: str) -> int:
    """Return 64 bits that stand for *text*."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _equal(hashes: U64, contacts: U32, wanted: int) -> list[int]:
    start = int(hashes.searchsorted(np.uint64(wanted)))
    end = int(hashes.searchsorted(np.uint64(wanted), side="right"))
    return [int(number) for number in contacts[start:end]]
