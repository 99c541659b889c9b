"""Whose number it is, and the first search."""

from datetime import date

import msgspec

from gateway.directory.contact import Contact
from gateway.directory.contacts_file import read_file
from gateway.directory.index import DirectoryIndex
from gateway.directory.numbers import Numbering
from gateway.directory.options import NumberingOptions

NUMBERING = Numbering(NumberingOptions())
DAY = date(2026, 6, 1)
TEXT = """unit,name,post,phone,priority,fax,aliases,valid_to
消防支队,单雄信,支队长,13800138000,5,,老单,
消防支队,值班室,,010-88886666,1,,119指挥,
消防支队,仇英,参谋,010-88886666转8001,,,,
消防支队,曾国藩,政委,010-88886666,2,,,
水务局,退休者,,13900139000,,,,2026-05-31
水务局,办公室,,82345678,,88887777,,
"""


def index() -> DirectoryIndex:
    contacts: list[Contact] = read_file(TEXT.encode(), NUMBERING).contacts
    return DirectoryIndex((msgspec.structs.replace(c, id=c.name) for c in contacts), NUMBERING)


def names(number: str, day: date = DAY) -> list[str]:
    return [ref.name for ref in index().lookup(number, day)]


def test_however_the_exchange_shows_it() -> None:
    assert names("013800138000") == names("+8613800138000") == names("138 0013 8000") == ["单雄信"]


def test_several_contacts_on_one_number_best_first() -> None:
    assert names("01088886666") == ["值班室", "曾国藩", "仇英"]
    assert names("88886666-8001") == ["仇英", "值班室", "曾国藩"]


def test_validity_and_fax_and_strangers() -> None:
    assert names("13900139000") == []
    assert names("13900139000", date(2026, 5, 31)) == ["退休者"]
    assert names("88887777") == ["办公室"]
    assert index().lookup("88887777", DAY)[0].kind == "fax"
    assert names("anonymous") == names("") == names("13700137000") == []


def test_search_orders_exact_before_prefix_before_substring() -> None:
    found = index().search("单", 10)
    assert [(f.contact.name, f.field, f.reason) for f in found] == [("单雄信", "name", "prefix")]
    assert [f.contact.name for f in index().search("消防 参谋", 10)] == ["仇英"]
    assert [(f.contact.name, f.field) for f in index().search("119指挥", 10)] == [("值班室", "alias")]
    assert [f.contact.name for f in index().search("13800138000", 10)] == ["单雄信"]
    assert {f.contact.name for f in index().search("8888-6666", 10)} == {"值班室", "仇英", "曾国藩"}
    assert len(index().search("消防", 2)) == 2
    assert index().search("  ", 10) == index().search("没有", 10) == []
