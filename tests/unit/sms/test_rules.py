import itertools
import random
from datetime import UTC, datetime, timedelta

import pytest

from sms.rules import TRANSITIONS, Act, Segment, Trace, follow, match, recipient_state, retry_after_s, same_number

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_segment_goes_back_to_the_queue_only_when_it_was_not_sent():
    back = {pair for pair, after in TRANSITIONS.items() if after is Segment.QUEUED}
    assert back == {(Segment.SENDING, Act.REFUSED)}


def test_unknown_is_left_by_a_report_alone():
    leaving = {act for state, act in TRANSITIONS if state is Segment.UNKNOWN}
    assert leaving == {Act.REPORT_DELIVERED, Act.REPORT_FAILED}


NOWHERE = [pair for pair in itertools.product(Segment, Act) if pair not in TRANSITIONS]


@pytest.mark.parametrize(("state", "act"), NOWHERE)
def test_everything_else_is_refused(state, act):
    with pytest.raises(ValueError, match=act.value):
        follow(state, act)


@pytest.mark.parametrize(
    ("segments", "whole"),
    [
        (["delivered", "delivered"], "delivered"),
        (["delivered", "sent"], "sent"),
        (["delivered", "sending"], "queued"),
        (["unknown", "delivered"], "unknown"),
        (["failed", "unknown"], "failed"),
        (["queued", "sent"], "queued"),
    ],
)
def test_the_worst_segment_decides(segments, whole):
    assert recipient_state([Segment(one) for one in segments]) is Segment(whole)


def test_pauses_grow_to_a_bound():
    assert [retry_after_s(n, first_s=15, longest_s=100) for n in (1, 2, 3, 4, 500)] == [15, 30, 60, 100, 100]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("+8613900000001", "13900000001", True),
        ("+8613900000001", "+8613900000001", True),
        ("008613900000001", "+8613900000001", True),
        ("013900000001", "+8613900000001", True),
        ("+4915259911630", "9911630", True),
        ("+8613900000001", "+8613900000002", False),
        ("10086", "110086", False),
        ("110", "110", True),
    ],
)
def test_spellings_of_numbers(one, other, same):
    assert same_number(one, other) is same
    assert same_number(other, one) is same


def trace(place, reference, at_s, number="+8613900000001", *, told=False):
    at = NOW + timedelta(seconds=at_s)
    return Trace("j", place, 1, number, reference, at, at, told)


def test_wrapped_late_doubled_and_lost_reports_meet_nobody_else():
    """10,000 messages, 20 a minute, to few numbers so that references meet; reports shuffled by up to an hour."""
    rng = random.Random(5)
    numbers = [f"+86139{i:08d}" for i in range(40)]
    sent = [trace(i, i % 256, i * 3, rng.choice(numbers)) for i in range(10_000)]
    arrivals = []
    for one in sent:
        if rng.random() < 0.1:
            continue  # lost
        accepted = one.handed_at + timedelta(seconds=rng.randint(-40, 40))
        times = 2 if rng.random() < 0.1 else 1
        arrivals += [(one.handed_at + timedelta(seconds=rng.randint(1, 3600)), accepted, one) for _ in range(times)]
    arrivals.sort(key=lambda arrival: arrival[0])
    by_reference = {}
    for one in sent:
        by_reference.setdefault(one.reference, []).append(one)
    told, wrong = set(), 0
    for _, accepted, one in arrivals:
        candidates = [
            Trace(t.job, t.place, t.segment, t.number, t.reference, t.handed_at, t.taken_at, t.place in told)
            for t in by_reference[one.reference]
        ]
        found = match(candidates, reference=one.reference, number=one.number, accepted_at=accepted)
        if found is not None:
            wrong += found.place != one.place
            told.add(found.place)
    assert wrong == 0
    assert told == {one.place for _, _, one in arrivals}


def test_a_segment_of_unknown_fate_is_met_when_it_is_the_only_one():
    lost = trace(1, None, 0)
    assert match([lost], reference=7, number=lost.number, accepted_at=NOW + timedelta(seconds=30)) is lost
    assert match([lost], reference=7, number=lost.number, accepted_at=NOW + timedelta(hours=1)) is None
    assert match([lost, trace(2, None, 5)], reference=7, number=lost.number, accepted_at=NOW) is None
    assert match([lost], reference=7, number="+8613911111111", accepted_at=NOW) is None


def test_a_wrong_clock_is_believed_without_a_choice():
    one = trace(1, 7, 0)
    late = NOW + timedelta(hours=8)
    assert match([one], reference=7, number=one.number, accepted_at=late) is one
    assert match([one], reference=7, number=one.number, accepted_at=None) is one
    assert match([one, trace(2, 7, 900)], reference=7, number=one.number, accepted_at=late) is None
    assert match([trace(1, 7, 0, told=True)], reference=7, number=one.number, accepted_at=NOW) is None
