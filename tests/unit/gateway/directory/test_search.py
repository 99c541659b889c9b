"""Search as people type: real names, every way to find them, and the same answer however it came to be."""

from datetime import date
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.directory import segment_file
from gateway.directory.contact import Contact
from gateway.directory.contacts_file import read_file
from gateway.directory.index import DirectoryIndex, Favour
from gateway.directory.numbers import Numbering
from gateway.directory.options import NumberingOptions
from gateway.directory.readings import fold_text

NUMBERING = Numbering(NumberingOptions())
TEXT = """unit,parent_unit,name,post,phone,aliases,radio,email
市政府,,值班室,,82340000,,,
应急管理办公室,市政府,张伟,主任,13800138000,,,zhangwei@example.cn
中共某市委员会办公室,,李娜,秘书,13911112222,市委办,,
消防支队,市政府,单雄信,支队长,13800138001,老单,8001234,
消防支队,市政府,曾国藩,政委,13800138002,,,
消防支队,市政府,仇英,参谋,010-88886666转8001,,,
消防支队特勤一站,消防支队,区寄,班长,13800138003,,,
水务局,市政府,解缙,科长,13700137000,,,
水务局,市政府,查良镛,科员,13700137001,,,
水务局,市政府,盖叫天,科员,13700137002,,,
水务局,市政府,朴树,科员,13700137003,,,
水务局,市政府,尉迟恭,科员,13700137004,,,
水务局,市政府,万俟卨,科员,13700137005,,,
水务局,市政府,单于,科员,13700137006,,,
重庆长江水文站,水务局,吕布,站长,13600136000,,,
𠮷野家,,王小明,店长🚒,400-810-1234,,,
臺灣聯絡處,,劉備,主任,13500135000,,,
Weather Bureau,,John O'Neill,Duty officer,13400134000,,,
乌鲁木齐救援队,,买买提·艾力,队员,13300133000,,,
"""


@pytest.fixture(scope="module")
def contacts() -> list[Contact]:
    sheet = read_file(TEXT.encode(), NUMBERING)
    assert not sheet.errors
    return [msgspec.structs.replace(c, id=f"{n:026d}") for n, c in enumerate(sheet.contacts)]


@pytest.fixture(scope="module")
def index(contacts: list[Contact]) -> DirectoryIndex:
    return DirectoryIndex(contacts, NUMBERING)


@pytest.mark.parametrize(
    ("typed", "name", "reason"),
    [
        ("单雄信", "单雄信", "exact"),
        ("單雄信", "单雄信", "exact"),
        ("雄信", "单雄信", "substring"),
        ("shanxiongxin", "单雄信", "pinyin"),
        ("danxiongxin", "单雄信", "pinyin"),
        ("shanxiong", "单雄信", "pinyin"),
        ("xiongxin", "单雄信", "pinyin"),
        ("sxx", "单雄信", "initials"),
        ("dxx", "单雄信", "initials"),
        ("shanxx", "单雄信", "pinyin"),
        ("sxxin", "单雄信", "pinyin"),
        ("sxiongx", "单雄信", "pinyin"),
        ("单xx", "单雄信", "pinyin"),
        ("单xiongxin", "单雄信", "pinyin"),
        ("sx信", "单雄信", "pinyin"),
        ("７９９", "单雄信", "t9"),
        ("7426946649", "单雄信", "t9"),
        ("ＳＨＡＮＸＸ", "单雄信", "pinyin"),
        ("zengguofan", "曾国藩", "pinyin"),
        ("cengguofan", "曾国藩", "pinyin"),
        ("zgf", "曾国藩", "initials"),
        ("qiuying", "仇英", "pinyin"),
        ("ouji", "区寄", "pinyin"),
        ("xiejin", "解缙", "pinyin"),
        ("zhaliangyong", "查良镛", "pinyin"),
        ("gejiaotian", "盖叫天", "pinyin"),
        ("piaoshu", "朴树", "pinyin"),
        ("yuchigong", "尉迟恭", "pinyin"),
        ("moqixie", "万俟卨", "pinyin"),
        ("mqx", "万俟卨", "initials"),
        ("chanyu", "单于", "pinyin"),
        ("lvbu", "吕布", "pinyin"),
        ("lyubu", "吕布", "pinyin"),
        ("chongqing", "吕布", "pinyin"),
        ("cqcj", "吕布", "initials"),
        ("应急办", "张伟", "abbreviation"),
        ("应急管理", "张伟", "prefix"),
        ("管理办公室", "张伟", "substring"),
        ("yingjiban", "张伟", None),
        ("yjglb", "张伟", "initials"),
        ("yjb", "张伟", "abbreviation"),
        ("市委办", "李娜", "exact"),
        ("市委会办", "李娜", "abbreviation"),
        ("shiweiban", "李娜", "pinyin"),
        ("老单", "单雄信", "exact"),
        ("消防 参谋", "仇英", None),
        ("参谋 消防", "仇英", None),
        ("xf sxx", "单雄信", None),
        ("消防支队单雄信", "单雄信", None),
        ("13800138001", "单雄信", "exact"),
        ("+86 138 0013 8001", "单雄信", "exact"),
        ("8001234", "单雄信", "exact"),
        ("88886666-8001", "仇英", "exact"),
        ("138 8002", "曾国藩", "number"),
        ("8002", "曾国藩", "number"),
        ("单熊信", "单雄信", "homophone"),
        ("单雄文", "单雄信", "typo"),
        ("单信雄", "单雄信", "typo"),
        ("shanxoingxin", "单雄信", "typo"),
        ("sanxiongxin", "单雄信", "typo"),
        ("13800183001", "单雄信", "typo"),
        ("𠮷野家", "王小明", "exact"),
        ("吉野家", "王小明", "exact"),
        ("jiyejia", "王小明", "pinyin"),
        ("🚒", "王小明", "substring"),
        ("台湾联络处", "劉備", "exact"),
        ("刘备", "劉備", "exact"),
        ("liubei", "劉備", "pinyin"),
        ("o'neill", "John O'Neill", "substring"),
        ("john", "John O'Neill", "prefix"),
        ("weather duty", "John O'Neill", "prefix"),
        ("zhangwei@example.cn", "张伟", "exact"),
        ("艾力", "买买提·艾力", "substring"),
        ("买买提艾力", "买买提·艾力", "exact"),
        ("mmtal", "买买提·艾力", "initials"),
    ],
)
def test_found_however_it_is_typed(index: DirectoryIndex, typed: str, name: str, reason: str | None) -> None:
    found = index.search(typed, 20)
    assert name in [one.contact.name for one in found[:5]]
    if reason is not None:
        assert next(one.reason for one in found if one.contact.name == name) == reason


@pytest.mark.parametrize(
    "typed",
    ["", "  ", "\u202e", "没有这个人", "無" * 10_000, "\0\x1b[2J", "zzzz", "99999999", "'; drop table", "%", "_", "*"],
)
def test_nothing_is_found_where_nothing_is(index: DirectoryIndex, typed: str) -> None:
    assert index.search(typed, 20) == []


def test_exact_comes_first_then_duty_then_use_then_fit_then_the_units_level(contacts: list[Contact]) -> None:
    index = DirectoryIndex(contacts, NUMBERING)
    plain = [one.contact.name for one in index.search("消防", 10)]
    assert plain == ["仇英", "单雄信", "曾国藩", "区寄"]
    ids = {contact.name: contact.id for contact in contacts}
    favour = Favour(on_duty=frozenset({ids["区寄"]}), used={ids["曾国藩"]: 2.0, ids["单雄信"]: 1.0})
    lifted = [one.contact.name for one in index.search("消防", 10, favour=favour)]
    assert lifted == ["区寄", "曾国藩", "单雄信", "仇英"]
    exact = [one.contact.name for one in index.search("消防支队", 10, favour=favour)]
    assert exact == ["曾国藩", "单雄信", "仇英", "区寄"]  # the last one names it as the unit above
    assert [one.contact.name for one in index.search("消防", 1, favour=favour)] == ["区寄"]


def test_what_is_not_to_be_seen_takes_no_place(index: DirectoryIndex) -> None:
    found = index.search("水务局", 3, visible=lambda contact: contact.name in {"朴树", "单于", "吕布"})
    assert {one.contact.name for one in found} == {"朴树", "单于", "吕布"}


def test_changes_are_seen_at_once_and_compaction_changes_nothing(contacts: list[Contact]) -> None:
    index = DirectoryIndex(contacts, NUMBERING)
    renamed = msgspec.structs.replace(contacts[3], name="秦琼")
    new = msgspec.structs.replace(contacts[3], id="9" * 26, name="罗成")
    changed = index.with_changes([renamed, new], removed=[contacts[4].id])
    assert len(changed) == len(contacts)
    assert [one.contact.name for one in changed.search("qinqiong", 5)] == ["秦琼"]
    assert changed.search("sxx", 5) == changed.search("曾国藩", 5) == []
    assert {ref.name for ref in changed.lookup("13800138001", date(2026, 1, 1))} == {"秦琼", "罗成"}
    assert changed.get(contacts[4].id) is None
    again = changed.with_changes([contacts[4]], removed=[new.id])
    assert [one.contact.name for one in again.search("zgf", 5)] == ["曾国藩"]
    assert again.search("罗成", 5) == []
    assert [c.id for c in changed.compacted().all()] == [c.id for c in changed.all()]
    for typed in ("消防", "s", "13", "主任", "水务 科员", "yjb", "单熊信"):
        assert changed.search(typed, 50) == changed.compacted().search(typed, 50)
    assert len(index.search("sxx", 5)) == 1  # the view before the change stays as it was


def test_saved_and_opened_it_answers_the_same(tmp_path: Path, index: DirectoryIndex) -> None:
    folder = tmp_path / "index"
    assert segment_file.load(folder) is None
    segment_file.save(index.base, folder, "7:abc", index.units)
    segment_file.save(index.base, folder, "8:def", index.units)
    opened = segment_file.load(folder)
    assert opened is not None
    base, covers, units = opened
    assert covers == "8:def"
    again = DirectoryIndex((), NUMBERING, base=base, units=units)
    for typed in ("消防", "s", "138", "主任", "水务 科员", "yjb", "单熊信", "7426", "shanxoingxin"):
        assert again.search(typed, 50) == index.search(typed, 50)
    assert len(list(folder.iterdir())) == 1
    torn = next(folder.rglob("blob.npy"))
    torn.write_bytes(torn.read_bytes()[:-1])
    assert segment_file.load(folder) is None


def test_an_empty_directory(tmp_path: Path) -> None:
    empty = DirectoryIndex((), NUMBERING)
    assert empty.search("单", 5) == []
    assert empty.lookup("119", date(2026, 1, 1)) == []
    segment_file.save(empty.base, tmp_path, "0", {})
    opened = segment_file.load(tmp_path)
    assert opened is not None
    assert DirectoryIndex((), NUMBERING, base=opened[0]).search("单", 5) == []


SOME_TEXT = st.one_of(
    st.text(max_size=12),
    st.text(alphabet="单曾仇区解查盖重长乐消防支队应急管理办公室𠮷臺🚒 abz1９·'-", min_size=1, max_size=12),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(st.lists(st.tuples(SOME_TEXT, SOME_TEXT, SOME_TEXT), min_size=1, max_size=6), SOME_TEXT)
def test_any_text_is_survived_and_each_is_found_by_its_keys(rows: list[tuple[str, str, str]], typed: str) -> None:
    people = [
        Contact(id=f"{n:026d}", unit=unit, name=name, post="", aliases=(alias,))
        for n, (unit, name, alias) in enumerate(rows)
    ]
    index = DirectoryIndex(people, NUMBERING)
    assert index.search(typed, 10) == index.search(typed, 10)
    for person in people:
        for key in (person.unit, person.name, *person.aliases):
            words = fold_text(key).split()
            if not words or len(words) > 6:
                continue
            assert person.id in {one.contact.id for one in index.search(key, 50)}


@settings(max_examples=40, deadline=None)
@given(st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True), st.integers(0, 8), st.integers(3, 11))
def test_a_number_is_found_by_any_of_its_fragments(digits: str, start: int, length: int) -> None:
    sheet = read_file(f"name,phone\n甲,{digits}\n".encode(), NUMBERING)
    index = DirectoryIndex([msgspec.structs.replace(sheet.contacts[0], id="a" * 26)], NUMBERING)
    fragment = digits[start : start + length]
    assert [one.contact.name for one in index.search(fragment, 5)] == ["甲"]
