"""Numbers as people write them and exchanges show them, in Beijing (no prefix) and in 宁波 (0574, prefix 9)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.directory.numbers import Numbering, NumberKind
from gateway.directory.options import NumberingOptions

BEIJING = Numbering(NumberingOptions())
NINGBO = Numbering(NumberingOptions(area_code="574", outside_prefix="9"))
ZERO_OUT = Numbering(NumberingOptions(area_code="29", outside_prefix="0"))
SEVEN = Numbering(NumberingOptions(area_code="917", subscriber_digits=7, outside_prefix="9"))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("13800138000", "+8613800138000"),
        ("013800138000", "+8613800138000"),
        ("8613800138000", "+8613800138000"),
        ("+86 138 0013 8000", "+8613800138000"),
        ("0086-138-0013-8000", "+8613800138000"),
        ("1380013八", None),
        ("\uff11\uff13\uff18\uff10\uff10\uff11\uff13\uff18\uff10\uff10\uff10", "+8613800138000"),
        ("\uff08\uff10\uff11\uff10\uff09\uff18\uff12\uff13\uff14\uff0d\uff15\uff16\uff17\uff18", "+861082345678"),
        ("(010)8234 5678", "+861082345678"),
        ("+86 (0)10 8234 5678", "+861082345678"),
        ("01082345678", "+861082345678"),
        ("1082345678", "+861082345678"),
        ("82345678", "+861082345678"),
        ("021-6234-5678", "+862162345678"),
        ("0755 8888 8888", "+8675588888888"),
        ("75588888888", "+8675588888888"),
        ("0917-3212345", "+869173212345"),
        ("010-88886666转8001", "+861088886666;ext=8001"),
        ("010-88886666-8001", "+861088886666;ext=8001"),
        ("010-88886666 分机 8001", "+861088886666;ext=8001"),
        ("88886666 ext. 12", "+861088886666;ext=12"),
        ("010-8888-6666", "+861088886666"),
        ("400-810-1234", "+864008101234"),
        ("400-810-1234-2", "+864008101234;ext=2"),
        ("110", "110"),
        ("119", "119"),
        ("12345", "12345"),
        ("95588", "95588"),
        ("10086", "10086"),
        ("010-12345", "12345"),
        ("0571-12345", "+8657112345"),
        ("8001", "8001"),
        ("801", "801"),
        ("001 212 555 0100", "+12125550100"),
        ("+44 20 7946 0018", "+442079460018"),
        ("tel:+8613800138000", "+8613800138000"),
        ("sip:13800138000@10.0.0.1", "+8613800138000"),
        ("", None),
        ("anonymous", None),
        ("未知", None),
        ("12", None),
        ("1" * 16, None),
        ("9" * 70, None),
        ("138\n0013", None),
        ("٣٤٥٦٧٨٩٠", None),
    ],
)
def test_beijing(written: str, expected: str | None) -> None:
    number = BEIJING.parse(written)
    assert (None if number is None else number.full) == expected


@pytest.mark.parametrize(
    ("numbering", "written", "expected"),
    [
        (NINGBO, "9110", "110"),
        (NINGBO, "9013800138000", "+8613800138000"),
        (NINGBO, "913800138000", "+8613800138000"),
        (NINGBO, "987654321", "+8657487654321"),
        (NINGBO, "987654321098", "987654321098"),
        (NINGBO, "9057487654321", "+8657487654321"),
        (NINGBO, "900442079460018", "+442079460018"),
        (NINGBO, "9578888888", "+869578888888"),
        (NINGBO, "9173212345", "+869173212345"),
        (ZERO_OUT, "0010 8234 5678", "+861082345678"),
        (ZERO_OUT, "0013800138000", "+8613800138000"),
        (ZERO_OUT, "062345678", "+862962345678"),
        (ZERO_OUT, "00119", "00119"),
        (ZERO_OUT, "0119", "119"),
        (ZERO_OUT, "02162345678", "+862162345678"),
        (SEVEN, "93212345", "+869173212345"),
        (SEVEN, "3212345", "+869173212345"),
    ],
)
def test_prefixes_and_areas(numbering: Numbering, written: str, expected: str) -> None:
    number = numbering.parse(written)
    assert number is not None
    assert number.value == expected


def test_kinds() -> None:
    kinds = {text: BEIJING.parse(text) for text in ("110", "8001", "13800138000", "01082345678", "0012125550100", "77")}
    assert kinds["77"] is None
    assert [number.kind for number in kinds.values() if number is not None] == [
        NumberKind.SHORT,
        NumberKind.EXTENSION,
        NumberKind.MOBILE,
        NumberKind.NATIONAL,
        NumberKind.INTERNATIONAL,
    ]


@given(st.text(max_size=70))
def test_any_text_is_survived_and_canonical_forms_are_fixed_points(text: str) -> None:
    number = BEIJING.parse(text)
    if number is None:
        return
    again = BEIJING.parse(number.value)
    assert again is not None
    assert again.value == number.value


@given(st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True))
def test_every_way_to_write_a_mobile_number_meets(digits: str) -> None:
    forms = [
        digits,
        "0" + digits,
        "86" + digits,
        "+86" + digits,
        "0086" + digits,
        f"{digits[:3]}-{digits[3:7]} {digits[7:]}",
    ]
    assert {number.value for form in forms if (number := BEIJING.parse(form)) is not None} == {"+86" + digits}
    assert all(BEIJING.parse(form) is not None for form in forms)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("+8613800138000", "13800138000"),
        ("82345678", "01082345678"),
        ("400-810-1234", "4008101234"),
        ("010-88886666转8001", "01088886666-8001"),
        ("+44 20 7946 0018", "+442079460018"),
        ("119", "119"),
        ("0571-12345", "057112345"),
    ],
)
def test_domestic_form_is_what_people_read_and_parses_back(written: str, expected: str) -> None:
    number = BEIJING.parse(written)
    assert number is not None
    assert BEIJING.domestic(number) == expected
    assert BEIJING.parse(expected) == number
