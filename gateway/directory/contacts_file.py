"""Contacts from and to files, CSV or a spreadsheet. Pure: bytes in, contacts and errors out."""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import msgspec

from gateway.core.errors import Kind, TrunklineError
from gateway.core.text import Text
from gateway.directory import xlsx
from gateway.directory.contact import Contact, ContactKey, ContactNumber
from gateway.directory.numbers import Numbering, NumberKind, fold

COLUMNS = (
    "unit",
    "parent_unit",
    "name",
    "post",
    "phone",
    "kind",
    "priority",
    "fax",
    "radio",
    "email",
    "groups",
    "aliases",
    "valid_from",
    "valid_to",
    "notes",
)
_CHINESE = dict(
    zip(
        "单位 上级单位 姓名 职务 电话 类型 优先级 传真 电台 邮箱 分组 别名 生效日期 失效日期 备注".split(),  # noqa: SIM905
        COLUMNS,
        strict=True,
    )
)
_KINDS = {
    "手机": "mobile",
    "移动": "mobile",
    "cell": "mobile",
    "办公": "office",
    "办公室": "office",
    "work": "office",
    "住宅": "home",
    "家庭": "home",
    "宅电": "home",
    "值班": "duty",
    "卫星": "satellite",
    "传真": "fax",
    "内线": "extension",
    "分机": "extension",
    "其他": "other",
}
_LISTS = ("fax", "radio", "email", "groups", "aliases")
_LONGEST = {"notes": 2000, "groups": 1000, "aliases": 1000, "phone": 400}
_LONGEST_OTHER = 200
_MAX_BYTES = 32 * 1024 * 1024
_MAX_ROWS = 200_000
_MAX_ERRORS = 1000
_DEFAULT_PRIORITY = 100
_BETWEEN = re.compile(r"[;；、|,，]")
_BETWEEN_NUMBERS = re.compile(r"[;；、|/]")
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:T00:00:00(?:\.0+)?)?")


class ContactsFileError(TrunklineError):
    """The file cannot be read as a table of contacts at all."""

    code = "dir.file"
    kind = Kind.INVALID
    cause = Text("The contacts file cannot be read: {reason}.", "无法读取通讯录文件：{reason}。")
    action = Text(
        "Save it as a workbook (.xlsx) or CSV (UTF-8 or GB18030) with a header line that has at least unit or name.",
        "请另存为 Excel 工作簿（.xlsx）或 CSV（UTF-8 或 GB18030），首行为列名，至少包含 unit（单位）或 name（姓名）。",
    )


class RowError(msgspec.Struct, frozen=True):
    """What is wrong in one row. ``line`` counts from 1, the header included."""

    line: int
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a file holds: whole contacts, or the errors because of which none of it is taken."""

    contacts: list[Contact]
    errors: list[RowError]
    rows: int


def read_file(data: bytes, numbering: Numbering) -> Sheet:
    """Read *data* into contacts; every row is checked, also after the first error (up to 1000 errors are kept).

    Raises :class:`ContactsFileError` when there is no table to read.
    """
    if len(data) > _MAX_BYTES:
        raise ContactsFileError(reason=f"it is larger than {_MAX_BYTES} bytes")
    drafts: dict[ContactKey, _Draft] = {}
    errors: list[RowError] = []
    count = 0
    rows = _spreadsheet_rows(data) if data.startswith(xlsx.MAGIC) else _csv_rows(data)
    columns = _header(next(rows, (1, []))[1])
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        count += 1
        if count > _MAX_ROWS:
            raise ContactsFileError(reason=f"more than {_MAX_ROWS} rows")
        if len(errors) < _MAX_ERRORS:
            errors += _take_row(drafts, line, columns, cells, numbering)
    contacts = [] if errors else [draft.contact() for draft in drafts.values()]
    return Sheet(contacts=contacts, errors=errors[:_MAX_ERRORS], rows=count)


def _csv_rows(data: bytes) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(_decode(data), newline=""), strict=True)
    before = 0
    try:
        for cells in reader:
            line, before = before + 1, reader.line_num
            yield line, cells
    except csv.Error as error:
        raise ContactsFileError(reason=f"line {reader.line_num}: {error}") from error


def _spreadsheet_rows(data: bytes) -> Iterator[tuple[int, list[str]]]:
    try:
        yield from xlsx.rows_of(data)
    except xlsx.WorkbookError as error:
        raise ContactsFileError(reason=str(error)) from error


def write_csv(contacts: Iterable[Contact]) -> bytes:
    """Return *contacts* as CSV that :func:`read_file` takes back unchanged; UTF-8 with BOM, so that Excel reads it."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows(_table(contacts))
    return codecs.BOM_UTF8 + out.getvalue().encode("utf-8")


def write_xlsx(contacts: Iterable[Contact]) -> bytes:
    """Return *contacts* as a workbook that :func:`read_file` takes back unchanged."""
    return xlsx.workbook(_table(contacts))


def _table(contacts: Iterable[Contact]) -> Iterator[Sequence[str]]:
    """Yield the header and the rows: a row for each number, and in the first what a contact has only once."""
    yield COLUMNS
    for contact in contacts:
        once: dict[str, str] = {
            "parent_unit": contact.parent_unit,
            "valid_from": str(contact.valid_from or ""),
            "valid_to": str(contact.valid_to or ""),
            "notes": contact.notes,
            **{column: ";".join(getattr(contact, column)) for column in _LISTS},
        }
        key = contact.key._asdict()
        numbers = [{"phone": n.written, "kind": n.kind, "priority": str(n.priority)} for n in contact.numbers] or [{}]
        for index, number in enumerate(numbers):
            row = {**key, **number, **(once if index == 0 else {})}
            yield [row.get(column, "") for column in COLUMNS]


def _decode(data: bytes) -> str:
    """UTF-8 when it is valid UTF-8, else GB18030; there is no third guess."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text
    raise ContactsFileError(reason="it is neither UTF-8 nor GB18030 text")


def _header(cells: list[str]) -> list[str]:
    names = [fold(cell).lower().replace(" ", "_") for cell in cells]
    columns = [_CHINESE.get(name, name) for name in names]
    unknown = [name for name in columns if name and name not in COLUMNS]
    if unknown:
        raise ContactsFileError(reason=f"unknown columns: {', '.join(unknown)[:200]}")
    if len(set(columns) - {""}) != len([name for name in columns if name]):
        raise ContactsFileError(reason="a column appears twice")
    if not {"unit", "name"} & set(columns):
        raise ContactsFileError(reason="there is no header line with unit or name")
    return columns


@dataclass(slots=True)
class _Draft:
    """A contact that is still being gathered from its rows."""

    line: int
    key: ContactKey
    once: dict[str, Any] = field(default_factory=dict)
    lists: dict[str, dict[str, None]] = field(default_factory=lambda: {column: {} for column in _LISTS})
    notes: dict[str, None] = field(default_factory=dict)
    numbers: dict[str, ContactNumber] = field(default_factory=dict)

    def contact(self) -> Contact:
        numbers = sorted(self.numbers.values(), key=lambda number: number.priority)  # stable: else as in the file
        return Contact(
            **self.key._asdict(),
            **self.once,
            fax=tuple(self.lists["fax"]),
            radio=tuple(self.lists["radio"]),
            email=tuple(self.lists["email"]),
            groups=tuple(self.lists["groups"]),
            aliases=tuple(self.lists["aliases"]),
            numbers=tuple(numbers),
            notes="\n".join(self.notes),
        )


def _take_row(
    drafts: dict[ContactKey, _Draft], line: int, columns: list[str], cells: list[str], numbering: Numbering
) -> list[RowError]:
    """Add one row to its contact; a row with an error changes nothing."""
    if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
        return [RowError(line, "", f"{len(cells)} cells under {len(columns)} columns")]
    row = {
        name: cell.strip() if name == "notes" else " ".join(cell.split())
        for name, cell in zip(columns, cells, strict=False)
        if name
    }
    errors = [
        RowError(line, name, f"longer than {_LONGEST.get(name, _LONGEST_OTHER)} characters")
        for name, cell in row.items()
        if len(cell) > _LONGEST.get(name, _LONGEST_OTHER)
    ]
    key = ContactKey(row.get("unit", ""), row.get("name", ""), row.get("post", ""))
    if not key.unit and not key.name:
        errors.append(RowError(line, "unit", "neither unit nor name is given"))
    draft = drafts.get(key) or _Draft(line, key)
    once, wrong = _once(line, row, draft)
    errors += wrong
    numbers, wrong = _numbers(line, row, numbering)
    errors += wrong
    if errors:
        return errors
    draft.once.update(once)
    for column in _LISTS:
        draft.lists[column].update(dict.fromkeys(_parts(_BETWEEN, row.get(column, ""))))
    if row.get("notes"):
        draft.notes[row["notes"]] = None
    for number in numbers:
        draft.numbers.setdefault(number.canonical, number)
    drafts[key] = draft
    return []


def _once(line: int, row: Mapping[str, str], draft: _Draft) -> tuple[dict[str, Any], list[RowError]]:
    """What a contact has only once, and must not differ between its rows."""
    errors: list[RowError] = []
    once: dict[str, Any] = {"parent_unit": row["parent_unit"]} if row.get("parent_unit") else {}
    for name in ("valid_from", "valid_to"):
        if row.get(name):
            try:
                once[name] = _date(row[name])
            except ValueError:
                errors.append(RowError(line, name, "not a date (2026-01-31)"))
    errors += [
        RowError(line, name, f"differs from line {draft.line} of the same contact")
        for name, value in once.items()
        if draft.once.get(name, value) != value
    ]
    both = {**draft.once, **once}
    if "valid_from" in both and "valid_to" in both and both["valid_from"] > both["valid_to"]:
        errors.append(RowError(line, "valid_to", "before valid_from"))
    return once, errors


def contact_number(numbering: Numbering, written: str, kind: str, priority: int) -> ContactNumber | None:
    """Return a number as it is kept, or None when *written* is not one; without a kind it is mobile or office."""
    number = numbering.parse(written)
    if number is None:
        return None
    given = fold(kind).lower()
    return ContactNumber(
        written=written,
        canonical=number.full,
        number=numbering.domestic(number),
        kind=_KINDS.get(given, given) or ("mobile" if number.kind is NumberKind.MOBILE else "office"),
        priority=priority,
    )


def _numbers(line: int, row: Mapping[str, str], numbering: Numbering) -> tuple[list[ContactNumber], list[RowError]]:
    numbers: list[ContactNumber] = []
    errors: list[RowError] = []
    priority = _DEFAULT_PRIORITY
    if row.get("priority"):
        written = fold(row["priority"])
        if re.fullmatch(r"\d{1,3}", written, re.ASCII):
            priority = int(written)
        else:
            errors.append(RowError(line, "priority", "not a whole number from 0 (first) to 999"))
    for written in _parts(_BETWEEN_NUMBERS, row.get("phone", "")):
        number = contact_number(numbering, written, row.get("kind", ""), priority)
        if number is None:
            errors.append(RowError(line, "phone", "not a telephone number"))
        else:
            numbers.append(number)
    return numbers, errors


def _parts(between: re.Pattern[str], cell: str) -> Iterator[str]:
    return (part for raw in between.split(cell) if (part := raw.strip()))


def _date(text: str) -> date:
    if re.fullmatch(r"\d{5}", text, re.ASCII):  # a spreadsheet's own: days since the end of 1899
        return date(1899, 12, 30) + timedelta(days=int(text))
    match = _DATE.fullmatch(fold(text))
    if match is None:
        raise ValueError(text)
    return date(int(match[1]), int(match[2]), int(match[3]))
