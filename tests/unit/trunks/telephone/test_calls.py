"""The laws of a call's life, over shuffled and doubled streams of FastAGI, AMI and CEL."""

import asyncio
import random
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.board import Board
from gateway.core.clock import ManualClock
from gateway.directory.contact import ContactRef
from trunks.telephone.book import CallBook
from trunks.telephone.calls import (
    Answered,
    Ended,
    Gone,
    HungUp,
    Joined,
    Observation,
    Ringing,
    Started,
    id_of_leg,
    reduce,
    start,
)
from trunks.telephone.events import CallAnswered, CallEnded, CallRinging, CallStarted
from trunks.telephone.lines import Lines
from trunks.telephone.options import TelephoneOptions

T0 = datetime(2026, 1, 1, tzinfo=UTC)
XIONGXIN = ContactRef(id="c1", unit="消防支队", name="单雄信", post="支队长", kind="mobile")


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def incoming(index: int, *, answered: bool = True) -> tuple[list[Observation], ...]:
    """What FastAGI, AMI and CEL tell of one incoming call."""
    leg, phone = f"{index}.1", f"{index}.2"
    own = {"uniqueid": leg, "linkedid": leg}
    theirs = {"uniqueid": phone, "linkedid": leg}

    def begun(seconds: float) -> Started:
        return Started(at=at(seconds), **own, direction="in", caller="13800138000", called="119", line="line-1")

    agi: list[Observation] = [begun(0.1), Ringing(at=at(0.1), **own, phones=("101",), reason="line")]
    ami: list[Observation] = [begun(0), Ringing(at=at(0.2), **own, phones=("101",), reason="fallback")]
    cel: list[Observation] = [begun(0)]
    if answered:
        for stream in (ami, cel):
            stream += [Answered(at=at(2), **own), Joined(at=at(2), **theirs, phone="101")]
    for stream in (ami, cel):
        stream += [HungUp(at=at(9), **theirs, cause=16), HungUp(at=at(9), **own, cause=16 if answered else 19)]
    cel.append(Ended(at=at(9), **own))
    return agi, ami, cel


def outgoing(index: int, *, reached_trunk: bool = True) -> tuple[list[Observation], ...]:
    """What the service, AMI and CEL tell of one call that was dialled."""
    first, leg = f"tl-call{index}", f"{index}.9"
    ours = {"uniqueid": first, "linkedid": first}
    trunk = {"uniqueid": leg, "linkedid": first}
    service: list[Observation] = [
        Started(
            at=at(0),
            uniqueid="",
            linkedid=first,
            direction="out",
            called="82345678",
            line="line-8",
            call_id=f"call{index}",
        )
    ]
    ami: list[Observation] = []
    cel: list[Observation] = []
    if reached_trunk:
        begun = Started(at=at(1), **trunk, direction="out", called="82345678", line="line-8", phone="102")
        ami += [begun, Ringing(at=at(2), **trunk, reason="remote"), Answered(at=at(3), **trunk)]
        cel += [begun, Answered(at=at(3), **trunk)]
        for stream in (ami, cel):
            stream += [Joined(at=at(3), **ours, phone="102"), HungUp(at=at(8), **trunk, cause=16)]
    for stream in (ami, cel):
        stream.append(HungUp(at=at(8), **ours, cause=16))
    cel.append(Ended(at=at(8), **ours))
    return service, ami, cel


def told_by(observations: list[Observation]) -> list[tuple[str, object]]:
    """Run a book over *observations* and return what it would write, in order."""

    async def run() -> list[tuple[str, object]]:
        lines = Lines(TelephoneOptions().lines)
        lines.restored()
        book = CallBook(None, Board(), ManualClock(at(10)), lines, lambda _: [XIONGXIN])  # type: ignore[arg-type]
        for seen in observations:
            book.observe(seen)
        assert book.open() == []
        assert all(not lines.now(name).call for name in lines.names())
        return [(happening.aggregate, happening.event) for change in book._pending for happening in change.told]

    return asyncio.run(run())


def check_laws(told: list[tuple[str, object]]) -> None:
    by_call = defaultdict(list)
    for aggregate, event in told:
        by_call[aggregate].append(type(event))
    for kinds in by_call.values():
        counts = Counter(kinds)
        assert counts[CallStarted] == counts[CallEnded] == 1, kinds
        assert max(counts.values()) == 1, kinds
        assert (kinds[0], kinds[-1]) == (CallStarted, CallEnded)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.floats(0, 1))
def test_any_merge_of_the_streams_with_anything_doubled(seed: int, calls: int, doubling: float) -> None:
    chance = random.Random(seed)
    streams: list[list[Observation]] = []
    for index in range(calls):
        streams += incoming(index, answered=chance.random() < 0.7)
        streams += outgoing(index + 100, reached_trunk=chance.random() < 0.7)
    merged: list[Observation] = []
    while streams := [stream for stream in streams if stream]:
        seen = chance.choice(streams).pop(0)
        merged += [seen] * (2 if chance.random() < doubling else 1)
        if merged and chance.random() < doubling / 2:
            merged.append(chance.choice(merged))  # a late repetition of anything at all
    told = told_by(merged)
    check_laws(told)
    assert len({aggregate for aggregate, _ in told}) == 2 * calls


@settings(max_examples=100, deadline=None)
@given(st.permutations([seen for stream in (*incoming(1), *outgoing(2)) for seen in stream]))
def test_any_order_at_all_even_ends_before_starts(observations: list[Observation]) -> None:
    check_laws(told_by(observations))


@pytest.mark.parametrize("source", [1, 2])
def test_cel_alone_or_ami_alone_tells_a_whole_call(source: int) -> None:
    kinds = [type(event) for _, event in told_by(incoming(1)[source])]
    assert [kind for kind in kinds if kind is not CallRinging] == [CallStarted, CallAnswered, CallEnded]


def test_the_end_says_how_it_was() -> None:
    *_, (_, ended) = told_by(incoming(1)[1])
    assert isinstance(ended, CallEnded)
    assert (ended.answered, ended.phone, ended.cause, ended.duration_s, ended.talk_s) == (True, "101", 16, 9.0, 7.0)
    assert ended.recording == "1.1"
    assert ended.contact == XIONGXIN


def test_a_call_that_is_gone_is_closed_as_such_and_stays_closed() -> None:
    begun = incoming(1)[0][0]
    assert isinstance(begun, Started)
    call = start(begun, call_id="x", line="line-1", contact=None).call
    step = reduce(call, Gone(at=at(5), uniqueid="1.1", linkedid="1.1", reason="gone"))
    ((event, _),) = step.told
    assert isinstance(event, CallEnded)
    assert (event.synthesised, event.cause, event.answered) == (True, None, False)
    for seen in incoming(1)[2]:
        assert reduce(step.call, seen).told == ()


def test_a_second_leg_on_the_trunk_does_not_end_the_call() -> None:
    begun = incoming(1)[0][0]
    assert isinstance(begun, Started)
    call = start(begun, call_id="x", line="line-1", contact=None).call
    assert reduce(call, HungUp(at=at(3), uniqueid="7.7", linkedid="1.1", cause=17)).call == call
    assert reduce(call, Ended(at=at(3), uniqueid="7.7", linkedid="1.1")).call == call


def test_whoever_hears_of_a_leg_first_gives_its_call_the_same_id() -> None:
    assert id_of_leg("1795308404.17") == id_of_leg("1795308404.17")
    assert len({id_of_leg(one) for one in ("1795308404.17", "1795308404.18", "desk-1795308404.17", "", "x")}) == 5
    assert id_of_leg("1795308404.17") < id_of_leg("1795308405.1")
