"""Numbers on their way out, from Beijing (no prefix), 宁波 (prefix 9) and 西安 (prefix 0, the old mobile rule)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import TrunklineError
from gateway.directory.options import NumberingOptions
from trunks.telephone.dialling import DiallingRules
from trunks.telephone.errors import NotDialableError
from trunks.telephone.options import DiallingOptions

BEIJING = DiallingRules(DiallingOptions(), NumberingOptions())
NINGBO = DiallingRules(DiallingOptions(allow_international=True), NumberingOptions(area_code="574", outside_prefix="9"))
XIAN = DiallingRules(
    DiallingOptions(remote_mobile_prefix="0", local_mobile_segments=("1399129",), allow_tones=True),
    NumberingOptions(area_code="29", outside_prefix="0"),
)


@pytest.mark.parametrize(
    ("rules", "written", "digits"),
    [
        *(
            (rules, short, short)
            for rules in (BEIJING, NINGBO, XIAN)
            for short in ("110", "119", "120", "122", "12345", "8001")
        ),
        (BEIJING, "13800138000", "13800138000"),
        (BEIJING, "+86 138-0013-8000", "13800138000"),
        (BEIJING, "(010) 8234 5678", "82345678"),
        (BEIJING, "82345678", "82345678"),
        (BEIJING, "0755-88888888", "075588888888"),
        (BEIJING, "400-810-1234", "4008101234"),
        (BEIJING, "95588", "95588"),
        (BEIJING, "0571 12345", "057112345"),
        (BEIJING, "\uff11\uff11\uff19", "119"),
        (NINGBO, "13800138000", "913800138000"),
        (NINGBO, "913800138000", "913800138000"),
        (NINGBO, "87654321", "987654321"),
        (NINGBO, "0574-87654321", "987654321"),
        (NINGBO, "010-82345678", "901082345678"),
        (NINGBO, "9110", "110"),
        (NINGBO, "+44 20 7946 0018", "900442079460018"),
        (NINGBO, "4008101234", "94008101234"),
        (XIAN, "13800138000", "0013800138000"),
        (XIAN, "13991290000", "013991290000"),
        (XIAN, "029-87654321", "087654321"),
        (XIAN, "*61*82345678#", "*61*82345678#"),
    ],
)
def test_dialled(rules: DiallingRules, written: str, digits: str) -> None:
    assert rules.rewrite(written).digits == digits


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("", "tel.number_empty"),
        (" ( ) ", "tel.number_empty"),
        ("消防", "tel.number_characters"),
        ("1380013800a", "tel.number_characters"),
        ("138+0013", "tel.number_characters"),
        ("110,tl-positions,1", "tel.number_characters"),
        ("110&PJSIP/101", "tel.number_characters"),
        ("${SHELL(id)}", "tel.number_characters"),
        ("110\r\nAction: Originate", "tel.number_characters"),
        ("٣٤٥", "tel.number_characters"),
        ("*72", "tel.number_tones"),
        ("119#", "tel.number_tones"),
        ("1" * 21, "tel.number_too_long"),
        ("+1 212 555 0100", "tel.international_barred"),
        ("0012125550100", "tel.international_barred"),
    ],
)
def test_refused(written: str, code: str) -> None:
    with pytest.raises(NotDialableError) as refusal:
        BEIJING.rewrite(written)
    assert refusal.value.code == code


@given(st.text(max_size=40))
def test_only_what_a_telephone_has_ever_leaves(text: str) -> None:
    try:
        dialled = XIAN.rewrite(text)
    except TrunklineError:
        return
    assert dialled.digits
    assert set(dialled.digits) <= set("0123456789*#")


@given(st.sampled_from(["110", "119", "120", "122", "12345"]), st.sampled_from([BEIJING, NINGBO, XIAN]))
def test_dialling_twice_is_dialling_once(number: str, rules: DiallingRules) -> None:
    assert rules.rewrite(rules.rewrite(number).digits).digits == number
