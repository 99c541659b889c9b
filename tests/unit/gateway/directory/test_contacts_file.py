"""Files as offices send them: encodings, quoting, several rows a person, and errors that name their line."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.directory.contacts_file import ContactsFileError, read_file, write_csv
from gateway.directory.numbers import Numbering
from gateway.directory.options import NumberingOptions

NUMBERING = Numbering(NumberingOptions())
TEXT = (
    "unit,parent_unit,name,post,phone,kind,priority,fax,radio,email,groups,aliases,valid_from,valid_to,notes\r\n"
    "消防支队,市消防局,单雄信,支队长,13800138000,手机,1,010-88886666,8001;8002,sx@example.cn,防汛;抗震,单支,2026-01-01,,值班带班\r\n"
    "消防支队,,单雄信,支队长,(010)8234 5678,办公,2,,,,,老单,,,\r\n"
    '𠮷野家,,"曾国藩, 仇英",店长🚒,400-810-1234-2,,,,,,,,,2026年12月31日,"两行\n备注"\r\n'
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_encodings_give_the_same_contacts(encoding: str) -> None:
    sheet = read_file(TEXT.encode(encoding), NUMBERING)
    assert (sheet.errors, sheet.rows) == ([], 3)
    first, second = sheet.contacts
    assert (first.unit, first.name, first.post, first.parent_unit) == ("消防支队", "单雄信", "支队长", "市消防局")
    assert [(n.number, n.kind, n.priority) for n in first.numbers] == [
        ("13800138000", "mobile", 1),
        ("01082345678", "office", 2),
    ]
    assert (first.fax, first.radio, first.aliases) == (("010-88886666",), ("8001", "8002"), ("单支", "老单"))
    assert first.groups == ("防汛", "抗震")
    assert first.valid_from == date(2026, 1, 1)
    assert (second.unit, second.name, second.post, second.notes) == ("𠮷野家", "曾国藩, 仇英", "店长🚒", "两行\n备注")
    assert second.valid_to == date(2026, 12, 31)
    assert second.numbers[0].canonical == "+864008101234;ext=2"


def test_chinese_headers_and_several_numbers_in_a_cell() -> None:
    sheet = read_file("单位,姓名,电话\n水务局,仇英,13900139000、82345678\n".encode("gb18030"), NUMBERING)
    assert [n.number for n in sheet.contacts[0].numbers] == ["13900139000", "01082345678"]


def test_every_wrong_row_is_named_and_nothing_is_taken() -> None:
    text = (
        "unit,name,phone,priority,valid_from,valid_to\n"
        "好,甲,13800138000,1,,\n"
        "坏,乙,hello,,,\n"
        '"两\n行",丙,13800138001,x,,\n'
        ",,13800138002,,,\n"
        "坏,丁,,,2026-02-30,\n"
        "坏,戊,,,2026-02-02,2026-02-01\n"
        "坏,己,,,,,多\n"
        "坏,庚,,,2026-01-01,\n"
        "坏,庚,,,2026-01-02,\n"
        f"{'长' * 201},辛,,,,\n"
    )
    sheet = read_file(text.encode(), NUMBERING)
    assert sheet.contacts == []
    assert [(error.line, error.column) for error in sheet.errors] == [
        (3, "phone"),
        (4, "priority"),
        (6, "unit"),
        (7, "valid_from"),
        (8, "valid_to"),
        (9, ""),
        (11, "valid_from"),
        (12, "unit"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\xff",
        b"a\0b",
        "电话\n110\n".encode(),
        b"unit,what\n",
        b"unit,unit\n",
        b'unit,name\n"open',
        b'unit,name\n"a"b,c\n',
        "unit,name\n".encode("utf-16"),
    ],
)
def test_what_is_no_table_is_refused(data: bytes) -> None:
    with pytest.raises(ContactsFileError):
        read_file(data, NUMBERING)


@given(st.binary(max_size=300))
def test_any_bytes_are_survived(data: bytes) -> None:
    try:
        read_file(b"unit,name,phone\n" + data, NUMBERING)
    except ContactsFileError:
        return


def test_export_reads_back_as_the_same_contacts() -> None:
    before = read_file(TEXT.encode(), NUMBERING).contacts
    exported = write_csv(before)
    assert exported.startswith(b"\xef\xbb\xbf")
    after = read_file(exported, NUMBERING)
    assert after.errors == []
    assert after.contacts == before
