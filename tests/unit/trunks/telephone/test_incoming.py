"""What a caller gets, answered from memory and never held up by the store."""

import asyncio
from types import SimpleNamespace

import pytest

from gateway.core.board import Board
from gateway.core.clock import ManualClock
from gateway.directory.contact import ContactRef
from gateway.directory.numbers import Numbering
from gateway.directory.options import NumberingOptions
from tests.support.memory_store import MemoryStore
from trunks.telephone.book import CallBook
from trunks.telephone.incoming import IncomingCalls
from trunks.telephone.lines import Lines
from trunks.telephone.options import TelephoneOptions
from trunks.telephone.phones import Phones

WHO = ContactRef(id="c1", unit="消防支队", name="单雄信\n", post="支队长")


class Desk:
    def __init__(self, **changes) -> None:
        options = TelephoneOptions(**changes)
        self.clock = ManualClock()
        self.lines = Lines(options.lines)
        self.phones = Phones(["101", "102"])
        self.book = CallBook(MemoryStore(self.clock), Board(), self.clock, self.lines, lambda _: [WHO])
        self.calls = IncomingCalls(
            options=options,
            book=self.book,
            lines=self.lines,
            phones=self.phones,
            numbering=Numbering(NumberingOptions()),
            clock=self.clock,
        )
        self.asked = 0

    async def ask(
        self, line: str = "line-1", caller: str = "13800138000", waited_s: float | None = None
    ) -> dict[str, str]:
        """One caller, while no writer runs at all: the store hangs. His question has waited for *waited_s*."""
        self.asked += 1
        begun = self.asked if waited_s is None else int(self.clock.wall().timestamp() - waited_s)
        variables: dict[str, str] = {}

        async def set_variables(values: dict[str, str]) -> None:
            variables.update(values)

        request = SimpleNamespace(
            uniqueid=f"{begun}.{self.asked}", arguments=(line,), caller_number=caller, called_number="88110001"
        )
        answering = asyncio.create_task(
            self.calls.answer(SimpleNamespace(request=request, set_variables=set_variables)), name="answer"
        )
        await self.clock.advance(0.06)
        assert answering.done()
        await answering
        return variables


async def test_rings_the_free_phones_though_the_store_hangs() -> None:
    desk = Desk()
    desk.phones.apply("PJSIP/101", "INUSE")
    desk.phones.apply("PJSIP/102", "NOT_INUSE")
    variables = await desk.ask()
    (call,) = desk.book.open()
    assert variables == {
        "TL_CALL": call.id,
        "CALLERID(name)": "消防支队 单雄信 支队长",
        "TL_PHONES": "PJSIP/102",
        "TL_RING_S": "30",
        "TL_TREATMENT": "ring",
    }
    assert list(variables)[-1] == "TL_TREATMENT"  # half an answer is none


@pytest.mark.parametrize(
    ("states", "phones"),
    [
        ({}, "PJSIP/101&PJSIP/102"),
        ({"101": "UNAVAILABLE", "102": "UNAVAILABLE"}, "PJSIP/101&PJSIP/102"),
        ({"101": "INUSE", "102": "UNAVAILABLE"}, "PJSIP/101"),
        ({"101": "NOT_INUSE", "102": "NOT_INUSE"}, "PJSIP/101&PJSIP/102"),
    ],
)
async def test_who_rings(states: dict[str, str], phones: str) -> None:
    desk = Desk()
    for number, state in states.items():
        desk.phones.apply(f"PJSIP/{number}", state)
    desk.phones.apply("PJSIP/trunk", "NOT_INUSE")
    assert (await desk.ask())["TL_PHONES"] == phones


async def test_lines_run_out() -> None:
    desk = Desk(overflow=False)
    for _ in range(8):
        assert (await desk.ask())["TL_TREATMENT"] == "ring"
    assert (await desk.ask())["TL_TREATMENT"] == "busy"
    overflowing = Desk(lines=())
    assert (await overflowing.ask())["TL_TREATMENT"] == "ring"
    assert [call.line for call in overflowing.book.open()] == ["line-unassigned"]


async def test_blocked_callers_are_refused_however_their_number_is_shown() -> None:
    desk = Desk(blocked=("13800138000", "not a number"))
    assert (await desk.ask(caller="+8613800138000"))["TL_TREATMENT"] == "refuse"
    assert (await desk.ask(caller=""))["TL_TREATMENT"] == "ring"


@pytest.mark.parametrize(
    ("waited_s", "treatment", "rings"), [(0, "busy", False), (3, "ring", True), (9, "ring", False)]
)
async def test_a_question_that_waited_is_told_with_its_own_time_and_never_refused(
    waited_s: float, treatment: str, *, rings: bool
) -> None:
    desk = Desk(overflow=False)
    for _ in range(8):
        await desk.ask()
    variables = await desk.ask(waited_s=waited_s)
    assert variables["TL_TREATMENT"] == treatment
    call = desk.book.open()[-1]
    assert abs((desk.clock.wall() - call.started_at).total_seconds() - waited_s) <= 1.1
    assert (call.recovered, call.ringing_at is not None) == (waited_s > 0, rings)
