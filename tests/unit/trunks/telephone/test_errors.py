import re

import pytest

from gateway.core.text import Text
from trunks.telephone.errors import LineNotFreeError, PositionBusyError, SwitchboardUnavailableError
from trunks.telephone.lines import LineState


@pytest.mark.parametrize(
    "state", ["not free", "unavailable", "invalid", "inuse", "busy", "onhold", "ringing", "unknown"]
)
def test_what_a_phone_does_is_told_in_chinese_without_english_words(state: str) -> None:
    told = PositionBusyError(position="101, 102", state=state)
    assert re.search("[a-z]", told.message("zh")) is None
    assert "101, 102" in told.message("en")


def test_a_phone_that_is_not_registered_is_not_told_to_hang_up_only() -> None:
    told = PositionBusyError(position="101, 102", state="not free").message("en")
    assert told.startswith("Phone 101, 102: in use or not registered.")
    assert PositionBusyError(position="101", state="unavailable").title("zh") == "话机 101：未注册。"


@pytest.mark.parametrize("reason", [*LineState, "unknown"])
def test_why_a_line_cannot_be_taken_is_told_in_chinese(reason: str) -> None:
    assert re.search("[a-z]", LineNotFreeError(line="1", reason=reason).message("zh")) is None


def test_a_reason_may_be_a_text() -> None:
    error = SwitchboardUnavailableError(reason=Text("it {does} not answer", "没有 {应答}"))
    assert error.title("en") == "Asterisk is not available: it {does} not answer."
    assert error.title("zh") == "Asterisk 不可用：没有 {应答}。"
    assert SwitchboardUnavailableError(reason="there is no session").title("zh") == "Asterisk 不可用：没有连接。"
