from dataclasses import replace
from pathlib import Path

import pytest

from config.asterisk.plan import AsteriskPlan, Fallback, Folders, Line, Phone, PlanError, Trunk


def plan(**changes) -> AsteriskPlan:
    values = {
        "folders": Folders(
            config=Path("/srv/etc"),
            modules=Path("/usr/lib/asterisk/modules"),
            data=Path("/usr/share/asterisk"),
            state=Path("/srv/state"),
            run=Path("/run/tl"),
            recordings=Path("/srv/录音"),
        ),
        "fallback": Fallback(Path("/srv/bin/python"), Path("/srv/fallback.py"), Path("/srv/snapshot.json")),
        "lines": (Line("line-1", ("88110001", "+862888110001")), Line("line-2", ("88110002",))),
        "phones": (Phone("101", "p" * 20), Phone("102", "q" * 20)),
        "trunk": Trunk("sip.example.net", 5060, ("192.0.2.0/24", "192.0.2.9:5061")),
        "ami_port": 5038,
        "ami_secret": "s" * 20,
    }
    return AsteriskPlan(**(values | changes))


def test_a_sensible_plan_is_taken():
    assert plan().fastagi_port == 4573


@pytest.mark.parametrize(
    "number", ["", "881,1", "_X.", "s", "88110001)", "88 11", "8;1", "8\n1", "${EPOCH}", "9" * 33, "１２３"]
)
def test_a_number_that_could_be_dialplan_is_refused(number):
    with pytest.raises(PlanError) as caught:
        plan(lines=(Line("line-1", (number,)),))
    assert caught.value.fields["field"] == "lines.line-1.numbers"


@pytest.mark.parametrize("name", ["", "Line-1", "line 1", "line-1,2", "线路", "line-unassigned", "l" * 33])
def test_a_line_needs_a_plain_name(name):
    with pytest.raises(PlanError):
        plan(lines=(Line(name, ("1",)),))


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (Line("line-1", ()),),
        (Line("line-1", ("1",)), Line("line-1", ("2",))),
        (Line("line-1", ("1",)), Line("line-2", ("1",))),
    ],
)
def test_lines_and_numbers_are_there_once(lines):
    with pytest.raises(PlanError):
        plan(lines=lines)


@pytest.mark.parametrize("number", ["110", "119", "120", "122", "1", "abc", "trunk", "101&102"])
def test_a_phone_never_takes_an_emergency_number(number):
    with pytest.raises(PlanError):
        plan(phones=(Phone(number, "p" * 20),))


def test_two_phones_of_one_number_are_refused():
    with pytest.raises(PlanError):
        plan(phones=(Phone("101", "p" * 20), Phone("101", "q" * 20)))


@pytest.mark.parametrize("secret", ["short", "semi;colon" * 3, "line\nend" * 3, "密" * 20, ""])
def test_a_secret_that_could_be_syntax_is_refused_and_not_repeated(secret):
    for changes in ({"ami_secret": secret}, {"phones": (Phone("101", secret),)}):
        with pytest.raises(PlanError) as caught:
            plan(**changes)
        assert not secret or secret not in str(caught.value)


def test_secrets_are_not_in_the_plans_text():
    text = repr(plan())
    assert "p" * 20 not in text
    assert "s" * 20 not in text


@pytest.mark.parametrize("path", ["relative", "/a,b", "/a b", "/a)b", "/a;b", "/${X}", "/a\nb", '/a"b', "/a:b"])
def test_a_path_that_could_be_syntax_is_refused(path):
    folders = plan().folders
    for changes in (
        {"folders": replace(folders, recordings=Path(path))},
        {"fallback": Fallback(Path(path), Path("/f"), Path("/s"))},
    ):
        with pytest.raises(PlanError):
            plan(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"ami_port": 0},
        {"sip_port": 65536},
        {"rtp_first_port": 10000, "rtp_last_port": 10050},
        {"sip_address": "localhost"},
        {"sip_address": "127.0.0.1\n[x]"},
        {"trunk": Trunk("a b", 5060, ())},
        {"trunk": Trunk("host", 0, ())},
        {"trunk": Trunk("host", 5060, ("anywhere",))},
        {"trunk": Trunk("host", 5060, ("192.0.2.1:x",))},
        {"ring_s": 0},
        {"session_expires_s": 89},
        {"ami_user": "admin]"},
        {"folders": Folders(*map(Path, ("/c", "/m", "/d", "/s", "/" + "r" * 100, "/rec")))},
    ],
)
def test_values_out_of_range_are_refused(changes):
    with pytest.raises(PlanError):
        plan(**changes)
