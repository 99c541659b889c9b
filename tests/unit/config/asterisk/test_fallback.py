import contextlib
import io
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.asterisk import fallback
from config.asterisk.fallback import FRESH_S, SPOILT, Snapshot, decide

PHONES = ("101", "102", "103")


def test_what_is_written_is_read(tmp_path):
    snapshot = Snapshot(12.5, ("101",), ("102",), ("+8613800001111", "单雄信"))
    snapshot.write(tmp_path / "snapshot.json")
    assert Snapshot.read(tmp_path / "snapshot.json") == snapshot
    assert (tmp_path / "snapshot.json").stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["snapshot.json"]


@pytest.mark.parametrize(
    ("snapshot", "caller", "expected"),
    [
        (Snapshot(1000.0, ready=("102",), fallback=("103",)), "1", {"TL_PHONES": "PJSIP/102"}),
        (Snapshot(1000.0 - FRESH_S - 1, ready=("102",), fallback=("103",)), "1", {"TL_PHONES": "PJSIP/103"}),
        (Snapshot(1001.0, ready=("102",), fallback=("103",)), "1", {"TL_PHONES": "PJSIP/103"}),  # from the future
        (Snapshot(1000.0, fallback=("103", "101")), "1", {"TL_PHONES": "PJSIP/101&PJSIP/103"}),
        (Snapshot(1000.0, ready=("999", "PJSIP/1&Local/x")), "1", {}),
        (Snapshot(1000.0), "1", {}),
        (Snapshot(0.0, ready=("101",), blocked=("1",)), "1", {"TL_TREATMENT": "refuse"}),
        (Snapshot(1000.0, ready=("101",), blocked=("",)), "", {"TL_PHONES": "PJSIP/101"}),
    ],
)
def test_decisions(snapshot, caller, expected):
    assert decide(snapshot, caller, PHONES, now=1000.0) == expected


@given(st.binary(max_size=200))
def test_any_file_is_read_or_known_as_spoilt(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("snapshot") / "file"
    path.write_bytes(data)
    with contextlib.suppress(*SPOILT):
        Snapshot.read(path)


def _run(monkeypatch, arguments, answer="200 result=1\n" * 10, caller="13800001111"):
    stream = f"agi_callerid: {caller}\nagi_calleridname: 单雄信\n\n{answer}".encode()
    spoken = io.StringIO()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stream)))
    monkeypatch.setattr(fallback.signal, "alarm", lambda _: 0)
    monkeypatch.setattr("asterisk.agi.signal.signal", lambda *_: None)
    monkeypatch.setattr("asterisk.agi.AGI.__init__.__defaults__", (sys.stdin, spoken, sys.stderr))
    return fallback.main([str(argument) for argument in arguments]), spoken.getvalue()


def test_the_script_speaks_agi_and_says_nothing_of_the_caller(monkeypatch, tmp_path, capsys):
    path = tmp_path / "snapshot.json"
    Snapshot(time.time(), ready=("101", "102")).write(path)
    code, spoken = _run(monkeypatch, [path, "101:102"])
    assert code == 0
    assert spoken == 'SET VARIABLE "TL_PHONES" "PJSIP/101&PJSIP/102"\n'
    assert "13800001111" not in "".join(capsys.readouterr())


def test_a_missing_snapshot_is_said_and_nothing_decided(monkeypatch, tmp_path, capsys):
    code, spoken = _run(monkeypatch, [tmp_path / "none", "101"])
    assert (code, spoken) == (1, "")
    assert "FileNotFoundError" in capsys.readouterr().err


def test_a_hang_up_in_the_middle_is_survived(monkeypatch, tmp_path):
    path = tmp_path / "snapshot.json"
    Snapshot(time.time(), ready=("101",)).write(path)
    code, _ = _run(monkeypatch, [path, "101"], answer="511 Command Not Permitted on a dead channel\n")
    assert code == 1
