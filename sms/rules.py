"""The life of a segment, and what follows for its recipient, without I/O.

Laws:
1. A segment is handed to a modem only out of ``queued``, and goes back there only when it was certainly not sent.
2. ``unknown`` is left by a report alone: never by another try.
3. Every recipient ends in exactly one of delivered, sent (no report asked for, or none came), failed, unknown.
"""

import enum
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


class Priority(enum.IntEnum):
    """What goes first; a lower number overtakes between two segments."""

    ALARM = 0
    NORMAL = 1
    MASS = 2


class Segment(enum.StrEnum):
    """Where one segment is."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    FAILED = "failed"


class Act(enum.StrEnum):
    """What happens to a segment."""

    HAND_OVER = "hand_over"
    TAKEN = "taken"
    REFUSED = "refused"
    GIVEN_UP = "given_up"
    LOST_TRACK = "lost_track"
    REPORT_DELIVERED = "report_delivered"
    REPORT_FAILED = "report_failed"


_S, _A = Segment, Act
TRANSITIONS: dict[tuple[Segment, Act], Segment] = {
    (_S.QUEUED, _A.HAND_OVER): _S.SENDING,
    (_S.QUEUED, _A.GIVEN_UP): _S.FAILED,
    (_S.SENDING, _A.TAKEN): _S.SENT,
    (_S.SENDING, _A.REFUSED): _S.QUEUED,
    (_S.SENDING, _A.GIVEN_UP): _S.FAILED,
    (_S.SENDING, _A.LOST_TRACK): _S.UNKNOWN,
    (_S.SENT, _A.REPORT_DELIVERED): _S.DELIVERED,
    (_S.SENT, _A.REPORT_FAILED): _S.FAILED,
    (_S.UNKNOWN, _A.REPORT_DELIVERED): _S.DELIVERED,
    (_S.UNKNOWN, _A.REPORT_FAILED): _S.FAILED,
}


def follow(state: Segment, act: Act) -> Segment:
    """Return the state after *act*; raise ``ValueError`` where there is none."""
    after = TRANSITIONS.get((state, act))
    if after is None:
        raise ValueError(f"{act.value} does not follow {state.value}")
    return after


def recipient_state(segments: Collection[Segment]) -> Segment:
    """Return how a recipient is: the worst of its segments decides, an open one before the good ones."""
    order = (_S.FAILED, _S.UNKNOWN, _S.SENDING, _S.QUEUED, _S.SENT, _S.DELIVERED)
    worst = next(state for state in order if state in segments)
    return _S.QUEUED if worst is _S.SENDING else worst


def retry_after_s(attempts: int, *, first_s: float, longest_s: float) -> float:
    """Return the pause after the *attempts*-th refusal (1 is the first)."""
    return min(longest_s, first_s * 2.0 ** min(attempts - 1, 32))


@dataclass(frozen=True, slots=True)
class Trace:
    """A segment that was handed over. ``reference`` is None when unknown, ``told`` once a report has said the end."""

    job: str
    place: int
    segment: int
    number: str
    reference: int | None
    handed_at: datetime
    taken_at: datetime | None
    told: bool


_CLOCKS_APART = timedelta(minutes=10)
_HAND_OVER = timedelta(minutes=5)


def match(traces: Iterable[Trace], *, reference: int, number: str, accepted_at: datetime | None) -> Trace | None:
    """Return the segment that a report is about; None when there is none, it was told already, or nobody can tell.

    References have 8 bits and come again after 256 segments, so the centre's time of acceptance decides between two to
    one number: it lies near the time when the modem was answered. A centre whose clock is wrong is believed when there
    is no choice. A segment of unknown fate has no reference; it is taken when it is the only one of about that time.
    """
    same = [trace for trace in traces if same_number(trace.number, number)]
    known = [trace for trace in same if trace.reference == reference]
    if accepted_at is not None and known:
        nearest = min(known, key=lambda trace: _apart(trace, accepted_at))
        if _apart(nearest, accepted_at) <= _CLOCKS_APART:
            return None if nearest.told else nearest
    lost = [
        trace
        for trace in same
        if trace.reference is None and accepted_at is not None and _apart(trace, accepted_at) <= _HAND_OVER
    ]
    if lost:
        return lost[0] if len(lost) == 1 else None
    return known[0] if len(known) == 1 and not known[0].told else None


def same_number(one: str, other: str) -> bool:
    """Tell whether two ways to write a number mean the same telephone: equal, or one is the end of the other."""
    first, second = (number.lstrip("+").removeprefix("00") for number in (one, other))
    if first == second:
        return True
    short, long = sorted((first.lstrip("0"), second.lstrip("0")), key=len)
    return len(short) >= 7 and long.endswith(short)


def _apart(trace: Trace, accepted_at: datetime) -> timedelta:
    return abs((trace.taken_at or trace.handed_at) - accepted_at)
