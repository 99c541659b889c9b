import json

import pytest
from click.testing import CliRunner

from gateway.app.cli import main


def run(*arguments):
    result = CliRunner().invoke(main, ["decode", *arguments])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_line_of_a_radio():
    shown = run("pei", "+CTXG: 1,3,0,0,3,09011638300023404")
    assert (shown["grant"], shown["talker"], shown["instance"]) == ("other", "09011638300023404", 1)


def test_a_received_message_with_its_data():
    assert run("pei", "+CTSDSR: 13,23404,0,23401,0,16\r\n0000")["data"] == "0000"


def test_a_dialect_can_be_named():
    assert run("pei", "--dialect", "ril", "+CTICN: 1,0,0,1,1001,1,1,9001,15")["called"] == "9001"


def test_a_message():
    shown = run("sds", "82040801476A61746A616A676A61")
    assert shown | {"type": "transfer", "text": "Gjatjajgja", "mr": 8, "report_requested": "received"} == shown


def test_a_position():
    assert run("lip", "0A112853A9FF4D4FFFE810")["lat"] == pytest.approx(44.93864, abs=1e-5)


@pytest.mark.parametrize("arguments", [("sds", "xyz"), ("lip", "0A11")])
def test_what_cannot_be_read_ends_with_its_error(arguments):
    result = CliRunner().invoke(main, ["decode", *arguments])
    assert result.exit_code == 3
    assert "[input.invalid]" in result.stderr
