"""A spreadsheet's first sheet as rows of text, and rows of text as a spreadsheet (ECMA-376, as far as tables go).

Pure: bytes in, rows out. A workbook is a zip of XML, so everything is bounded before it is unpacked, and a document
type (which only an attack has) is refused.
"""

import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from xml.parsers import expat
from xml.sax.saxutils import escape

MAGIC = b"PK\x03\x04"
_MAX_UNPACKED = 256 * 1024 * 1024
_MAX_RATIO = 200  # tables of text pack to a twentieth at most; a bomb to a thousandth
_MAX_COLUMNS = 256
_MAX_CELL = 32_767  # what a spreadsheet takes in a cell
_MAX_STRINGS = 2_000_000
_DAMAGED = (  # what zipfile and its decompressors raise on bytes that are wrong
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, OSError, EOFError, KeyError, ValueError,
    NotImplementedError, RuntimeError,
)  # fmt: skip
_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_WHOLE = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_UNFIT = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class WorkbookError(ValueError):
    """The bytes are no workbook that can be read; the text says why."""


def rows_of(data: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield (row number from 1, cells as text) of the first sheet; numbers as a person would write them.

    Raises :class:`WorkbookError`, also in the middle.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            _check(book)
            names = set(book.namelist())
            strings = _strings(book) if "xl/sharedStrings.xml" in names else []
            yield from _rows(book, _first_sheet(book), strings)
    except WorkbookError:
        raise
    except _DAMAGED as error:
        raise WorkbookError(f"not a whole workbook: {error}") from error
    except expat.ExpatError as error:
        raise WorkbookError(f"its XML is broken: {error}") from error


def workbook(rows: Iterable[Sequence[str]]) -> bytes:
    """Return *rows* as a workbook with one sheet, every cell as text, so that no number loses its zeros."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in _FRAME.items():
            book.writestr(_entry(name), _HEAD + content)
        with book.open(_entry("xl/worksheets/sheet1.xml"), "w") as sheet:
            sheet.write(f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
            for number, cells in enumerate(rows, 1):
                line = "".join(_cell(number, place, text) for place, text in enumerate(cells) if text)
                sheet.write(f'<row r="{number}">{line}</row>'.encode())
            sheet.write(b"</sheetData></worksheet>")
    return out.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)  # of 1980: the same contacts give the same bytes
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _cell(row: int, place: int, text: str) -> str:
    fit = escape(_UNFIT.sub("", text)[:_MAX_CELL])
    return f'<c r="{_letters(place)}{row}" t="inlineStr"><is><t xml:space="preserve">{fit}</t></is></c>'


def _letters(place: int) -> str:
    letters, place = "", place + 1
    while place:
        place, letter = divmod(place - 1, 26)
        letters = chr(65 + letter) + letters
    return letters


def _check(book: zipfile.ZipFile) -> None:
    unpacked = sum(entry.file_size for entry in book.infolist())
    packed = sum(entry.compress_size for entry in book.infolist())
    if unpacked > _MAX_UNPACKED or unpacked > 1_000_000 + packed * _MAX_RATIO:
        raise WorkbookError(f"it unpacks to {unpacked} bytes")


def _parse(book: zipfile.ZipFile, name: str, parser: expat.XMLParserType) -> Iterator[None]:
    """Feed a part to *parser* piece by piece; zipfile gives no more than was declared, which is bounded."""

    def refuse(*_: object) -> None:
        raise WorkbookError("it has a document type")

    parser.StartDoctypeDeclHandler = refuse
    parser.buffer_text = True
    with book.open(name) as part:
        while piece := part.read(1 << 16):
            parser.Parse(piece, False)
            yield
    parser.Parse(b"", True)
    yield


def _first_sheet(book: zipfile.ZipFile) -> str:
    """Return the path of the sheet that is shown first."""
    first: list[str] = []
    targets: dict[str, str] = {}

    def sheet(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] == "sheet":
            first.extend(value for key, value in attributes.items() if key.endswith(":id"))

    def relation(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] == "Relationship":
            targets[attributes.get("Id", "")] = attributes.get("Target", "")

    for part, handler in (("xl/workbook.xml", sheet), ("xl/_rels/workbook.xml.rels", relation)):
        parser = expat.ParserCreate()
        parser.StartElementHandler = handler
        for _ in _parse(book, part, parser):
            pass
    target = targets.get(first[0], "") if first else ""
    if not target:
        raise WorkbookError("it has no sheet")
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


def _strings(book: zipfile.ZipFile) -> list[str]:
    strings: list[str] = []
    text: list[str] = []
    inside = {"t": False, "rPh": False}  # rPh: how a Japanese reader pronounces it

    def start(name: str, _: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name in inside:
            inside[name] = True

    def end(name: str) -> None:
        name = name.rpartition(":")[2]
        if name in inside:
            inside[name] = False
        elif name == "si":
            if len(strings) >= _MAX_STRINGS:
                raise WorkbookError("it has too many texts")
            strings.append("".join(text))
            text.clear()

    def data(piece: str) -> None:
        if inside["t"] and not inside["rPh"]:
            text.append(piece)

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, data
    for _ in _parse(book, "xl/sharedStrings.xml", parser):
        pass
    return strings


class _SheetReader:
    """Gathers the cells of a sheet as its XML goes by."""

    def __init__(self, strings: Sequence[str]) -> None:
        self._strings = strings
        self.rows: list[tuple[int, list[str]]] = []
        self._number = 0
        self._cells: list[str] = []
        self._place = -1
        self._kind = ""
        self._text: list[str] = []
        self._taking = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name == "row":
            written = attributes.get("r", "")
            self._number = int(written) if written.isdecimal() and len(written) < 8 else self._number + 1
            self._cells, self._place = [], -1
        elif name == "c":
            match = _CELL.fullmatch(attributes.get("r", ""))
            self._place = self._place + 1 if match is None else _place(match[1])
            self._kind = attributes.get("t", "n")
            self._text.clear()
        elif name in {"v", "t"}:
            self._taking = True

    def end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        if name in {"v", "t"}:
            self._taking = False
        elif name == "c" and 0 <= self._place < _MAX_COLUMNS:
            self._cells += [""] * (self._place + 1 - len(self._cells))
            self._cells[self._place] = self._value("".join(self._text))
        elif name == "row":
            self.rows.append((self._number, self._cells))

    def data(self, piece: str) -> None:
        if self._taking:
            self._text.append(piece)

    def _value(self, text: str) -> str:
        if self._kind == "s":
            place = int(text) if text.isdecimal() and len(text) < 9 else -1
            if not 0 <= place < len(self._strings):
                raise WorkbookError("a cell names a text that is not there")
            return self._strings[place][:_MAX_CELL]
        if self._kind == "n" and _WHOLE.fullmatch(text):
            number = float(text)
            return str(int(number)) if number.is_integer() and abs(number) < 1e15 else text
        return text[:_MAX_CELL]


def _rows(book: zipfile.ZipFile, name: str, strings: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    reader = _SheetReader(strings)
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    for _ in _parse(book, name, parser):
        yield from reader.rows
        reader.rows.clear()


def _place(letters: str) -> int:
    place = 0
    for letter in letters:
        place = place * 26 + ord(letter) - 64
    return place - 1


_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_FRAME = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">'
        '<sheets><sheet name="contacts" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}
