"""What a consumer was told, against what Asterisk wrote down (CEL) and what sipp saw. Pure."""

import csv
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.acceptance.calls import Told

_COLUMNS = ("eventtype", "eventtime", "uniqueid", "linkedid", "channame", "context", "exten", "cidnum", "dnid", "extra")
CLOSE_S = 1.0
"""How far the time of an event may lie from Asterisk's own."""


@dataclass
class Witnessed:
    """A call as CEL has it; times are seconds since 1970, None for what was not written down."""

    uniqueid: str
    caller: str
    started: float
    answered: float | None = None
    ended: float | None = None


@dataclass
class Verdict:
    """What was counted, and everything that is not as it must be."""

    counts: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def check(self, good: bool, problem: str) -> None:  # noqa: FBT001
        """Note *problem* unless *good*."""
        if not good:
            self.problems.append(problem)


def witnessed(path: Path) -> dict[str, Witnessed]:
    """Every call that came in from the trunk, by the unique id of its leg; a row torn by a crash is left out."""
    calls: dict[str, Witnessed] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for values in csv.reader(file):
            if len(values) != len(_COLUMNS):
                continue
            row = dict(zip(_COLUMNS, values, strict=True))
            uniqueid, linkedid, when = row["uniqueid"], row["linkedid"], float(row["eventtime"])
            on_trunk = row["channame"].startswith("PJSIP/trunk-")
            if row["eventtype"] == "CHAN_START" and on_trunk and uniqueid == linkedid:
                calls[uniqueid] = Witnessed(uniqueid, row["cidnum"], when)
            elif row["eventtype"] == "HANGUP" and uniqueid in calls:
                calls[uniqueid].ended = when
            elif row["eventtype"] == "BRIDGE_ENTER" and not on_trunk and linkedid in calls:
                calls[linkedid].answered = calls[linkedid].answered or when
    return calls


def reconcile(events: Sequence[dict[str, Any]], calls: dict[str, Witnessed], told: Iterable[Told]) -> Verdict:
    """Compare the three. *events* are all that the consumer took, in any order."""
    verdict = Verdict()
    tel = [event for event in events if event["type"].startswith("tel.call_")]
    started = {e["data"]["call"]: e for e in tel if e["type"] == "tel.call_started.v1"}
    by_unique = {e["data"]["uniqueid"]: call for call, e in started.items()}
    kinds = Counter((e["data"]["call"], e["type"]) for e in tel)
    for (call, kind), count in kinds.items():
        verdict.check(count == 1, f"{kind} told {count} times of {call}")
        verdict.check(call in started, f"{kind} of {call}, which never started")
    verdict.check(len(by_unique) == len(started), "two calls have one leg")
    for uniqueid in by_unique.keys() - calls.keys():
        verdict.check(False, f"told of a call that CEL does not have: {uniqueid}")
    ended = {e["data"]["call"]: e for e in tel if e["type"] == "tel.call_ended.v1"}
    for uniqueid, seen in calls.items():
        call = by_unique.get(uniqueid)
        verdict.check(call is not None, f"never told: {uniqueid} of {seen.caller}, begun {seen.started:.3f}")
        if call is None:
            continue
        verdict.check(call in ended, f"no end was told: {uniqueid} of {seen.caller}, ended {seen.ended}")
        _times(verdict, seen, started[call], ended.get(call))
        data = started[call]["data"]
        verdict.check(data["caller"] == seen.caller, f"{uniqueid}: told as called by {data['caller']}")
    _against_sipp(verdict, calls, told, {calls[u].caller: ended.get(c) for u, c in by_unique.items() if u in calls})
    verdict.counts |= {
        "calls in CEL": len(calls),
        "told as started": len(started),
        "told as ended": len(ended),
        "answered": sum(e["data"]["answered"] for e in ended.values()),
        "recovered starts": sum(bool(e.get("recovered")) for e in started.values()),
        "recovered ends": sum(bool(e.get("recovered")) for e in ended.values()),
        "synthesised ends": sum(e["data"]["synthesised"] for e in ended.values()),
        "on no line": sum(e["data"]["line"] == "line-unassigned" for e in started.values()),
    }
    return verdict


def _times(verdict: Verdict, seen: Witnessed, start: dict[str, Any], end: dict[str, Any] | None) -> None:
    apart = abs(_when(start) - seen.started)
    verdict.check(apart < CLOSE_S, f"{seen.uniqueid}: told as begun {apart:.1f} s away from CEL")
    if end is None:
        return
    if seen.ended is None:
        verdict.check(end["data"]["synthesised"], f"{seen.uniqueid}: its end is in no CEL and is not synthesised")
        return
    verdict.check(not end["data"]["synthesised"], f"{seen.uniqueid}: its end is in CEL and yet synthesised")
    apart = abs(_when(end) - seen.ended)
    verdict.check(apart < CLOSE_S, f"{seen.uniqueid}: told as ended {apart:.1f} s away from CEL")
    answered = end["data"]["answered"]
    verdict.check(answered == (seen.answered is not None), f"{seen.uniqueid}: answered {answered}, CEL differs")


def _against_sipp(
    verdict: Verdict, calls: dict[str, Witnessed], told: Iterable[Told], ended: dict[str, dict[str, Any] | None]
) -> None:
    callers = Counter(call.caller for call in calls.values())
    outcomes: Counter[str] = Counter()
    for one in told:
        rang, answered = "180 INVITE" in one.answers, "200 INVITE" in one.answers
        busy = "486 INVITE" in one.answers
        outcomes["busy" if busy else "answered" if answered else "rang" if rang else "nothing heard"] += 1
        verdict.check(
            not rang or callers[one.caller] >= 1, f"sipp heard ringing for {one.caller}, CEL has no such call"
        )
        end = ended.get(one.caller)
        if end is not None and not end["data"]["synthesised"]:
            same = end["data"]["answered"] == answered
            verdict.check(same, f"{one.caller}: sipp heard {one.answers}, told as answered {end['data']['answered']}")
    verdict.counts["sipp"] = dict(outcomes)


def ring_to_subscriber_ms(events: Sequence[dict[str, Any]], told: Iterable[Told]) -> list[float]:
    """Milliseconds from sipp's first INVITE to the consumer's ``call_ringing`` of that caller, sorted."""
    rung = {e["data"]["caller"]: e["_received"] for e in events if e["type"] == "tel.call_ringing.v1"}
    return sorted((rung[one.caller] - one.invited_at) * 1000 for one in told if one.caller in rung)


def quantiles(values: Sequence[float]) -> str:
    """Median, 99th percentile and longest."""
    if len(values) < 2:
        return "too few"
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return f"p50 {cuts[49]:.1f}, p99 {cuts[98]:.1f}, longest {max(values):.1f} (of {len(values)})"


def _when(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()
