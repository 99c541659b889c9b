from gateway.alarms.ringer import RingOutcome
from gateway.app.ringer import TelephoneRinger
from gateway.core.errors import UnavailableError
from gateway.core.text import Text

TEXT = Text("Fire alarm", "火警")


class Desk:
    def __init__(self, answers: dict[str, bool | Exception]) -> None:
        self.answers = answers
        self.rung: list[tuple[str, str, float]] = []

    async def ring(self, number: str, text: str, *, ring_s: float) -> bool:
        self.rung.append((number, text, ring_s))
        answer = self.answers[number]
        if isinstance(answer, Exception):
            raise answer
        return answer


def ringer(desk: Desk) -> TelephoneRinger:
    return TelephoneRinger(desk, positions=["101", "102"], duty_leader="13800138000", timeout_s=45)


DOWN = UnavailableError(part="Asterisk", reason="no session")


async def test_positions_share_the_time_and_one_that_fails_hinders_no_other():
    desk = Desk({"101": DOWN, "102": True})
    result = await ringer(desk).ring("positions", TEXT)
    assert result.outcome is RingOutcome.ANSWERED
    assert desk.rung == [("101", "火警", 21.5), ("102", "火警", 21.5)]


async def test_nobody_answers():
    assert (await ringer(Desk({"101": DOWN, "102": False})).ring("positions", TEXT)).outcome is RingOutcome.NO_ANSWER


async def test_nothing_can_be_rung():
    result = await ringer(Desk({"13800138000": DOWN})).ring("duty_leader", TEXT)
    assert (result.outcome, result.reason) == (RingOutcome.FAILED, "unavailable")


async def test_a_number_is_a_target_and_a_target_without_number_fails():
    desk = Desk({"119": True})
    assert (await ringer(desk).ring("119", TEXT)).outcome is RingOutcome.ANSWERED
    nobody = TelephoneRinger(desk, positions=[], duty_leader="", timeout_s=45)
    assert (await nobody.ring("duty_leader", TEXT)).outcome is RingOutcome.FAILED
