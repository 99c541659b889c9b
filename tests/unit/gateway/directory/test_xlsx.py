"""Workbooks: what a spreadsheet writes is read, what is written is read back, and bombs are refused."""

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.directory.contacts_file import ContactsFileError, read_file, write_xlsx
from gateway.directory.numbers import Numbering
from gateway.directory.options import NumberingOptions
from gateway.directory.xlsx import WorkbookError, rows_of, workbook

NUMBERING = Numbering(NumberingOptions())
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
PARTS = {
    "xl/workbook.xml": f'<workbook {MAIN} xmlns:r="r"><sheets><sheet name="通讯录" r:id="rId7"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships><Relationship Id="rId7" Target="worksheets/s2.xml"/></Relationships>',
    "xl/sharedStrings.xml": f"<sst {MAIN}><si><t>姓名</t></si><si><r><t>单雄</t></r><r><t>信</t></r></si>"
    "<si><t>仇英</t><rPh><t>ちゅう</t></rPh></si><si><t>电话</t></si><si><t>生效日期</t></si></sst>",
    "xl/worksheets/s2.xml": f"<worksheet {MAIN}><sheetData>"
    '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>3</v></c><c r="C1" t="s"><v>4</v></c></row>'
    '<row r="3"><c r="A3" t="s"><v>1</v></c><c r="B3"><v>1.38001380E+10</v></c><c r="C3"><v>46023</v></c></row>'
    '<row r="5"><c r="B5" t="str"><f>1+1</f><v>010-88886666</v></c><c r="A5" t="s"><v>2</v></c></row>'
    "</sheetData></worksheet>",
}


def book(**changed: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in {
            **PARTS,
            **{f"xl/{key.replace('__', '/')}.xml": value for key, value in changed.items()},
        }.items():
            packed.writestr(name, text)
    return out.getvalue()


def test_what_spreadsheets_write() -> None:
    sheet = read_file(book(), NUMBERING)
    assert sheet.errors == []
    assert [(c.name, [n.number for n in c.numbers], str(c.valid_from)) for c in sheet.contacts] == [
        ("单雄信", ["13800138000"], "2026-01-01"),
        ("仇英", ["01088886666"], "None"),
    ]


def test_errors_name_the_row_of_the_sheet() -> None:
    rows = [["name", "phone"], ["单雄信", "13800138000"], [], ["曾国藩", "电话"], ["𠮷野家", "x"]]
    sheet = read_file(workbook(rows), NUMBERING)
    assert [(error.line, error.column) for error in sheet.errors] == [(4, "phone"), (5, "phone")]
    assert sheet.contacts == []


def test_export_reads_back_as_the_same_contacts() -> None:
    text = (
        "unit,name,phone,kind,priority,fax,radio,aliases,valid_to,notes\n"
        '消防支队,单雄信,013800138000,手机,1,010-88886666,8001,老单;单支,2026-12-31,"两行\n备注 <&> 🚒"\n'
        "消防支队,单雄信,8001,分机,2,,,,,\n𠮷野家,,,,,,,,,\n"
    )
    before = read_file(text.encode(), NUMBERING).contacts
    exported = write_xlsx(before)
    assert read_file(exported, NUMBERING).contacts == before
    assert write_xlsx(before) == exported


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04",
        book()[:-30],
        book(worksheets__s2="<worksheet><sheetData><row>"),
        book(worksheets__s2='<!DOCTYPE a [<!ENTITY b "c">]><worksheet/>'),
        book(worksheets__s2="<worksheet>" + " " * 30_000_000 + "</worksheet>"),
        book(worksheets__s2='<worksheet><row><c t="s"><v>99</v></c></row></worksheet>'),
        book(workbook="<workbook/>"),
        book(worksheets__s2="<worksheet/>"),
    ],
)
def test_what_is_no_workbook_is_refused(data: bytes) -> None:
    with pytest.raises(ContactsFileError):
        read_file(data, NUMBERING)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_bytes_are_survived(data: st.DataObject) -> None:
    whole = bytearray(book())
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        list(rows_of(bytes(whole)))
    except WorkbookError:
        return


@settings(deadline=None)
@given(st.lists(st.lists(st.text(max_size=20), max_size=5), max_size=5))
def test_any_text_can_be_written(rows: list[list[str]]) -> None:
    read = dict(rows_of(workbook(rows)))
    for number, cells in enumerate(rows, 1):
        for place, text in enumerate(cells):
            if text and text.isprintable():
                assert read[number][place] == text
