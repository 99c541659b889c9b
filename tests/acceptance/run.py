"""Thousands of real calls, in peace and with faults, reconciled: `python -m tests.acceptance.run [SCENARIO …]`.

Exit code 0 when every call was told exactly once and nothing leaked. The figures go to standard output.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from tests.acceptance.calls import LONG, Callers
from tests.acceptance.reconcile import Verdict, quantiles
from tests.acceptance.small import SMALL, adapters
from tests.acceptance.trial import Footprint, Trial
from tests.support.wait import until

_LONGEST_S = 900.0
_MORE_TASKS, _MORE_DESCRIPTORS, _MORE_KIB = 5, 6, 48 * 1024


@dataclass(frozen=True)
class Away:
    """For how long each part is away, seconds."""

    broker_s: float = 20.0
    daemon_s: float = 8.0
    stop_s: float = 15.0
    between_s: float = 5.0


async def in_peace(calls: int, at_once: int, lines: int) -> Verdict:
    """Make calls and break nothing."""
    async with Trial(lines) as trial:
        warm = await trial.call(max(20, calls // 20), at_once)
        await trial.finished(warm, _LONGEST_S)
        await trial.quiet()
        before = await trial.footprint()
        began = time.monotonic()
        callers = await trial.call(calls, at_once)
        await trial.finished(callers, _LONGEST_S)
        took = time.monotonic() - began
        await trial.quiet()
        after = await settled_footprint(trial, before)
        verdict = await trial.verdict()
        verdict.counts |= {"took, s": round(took, 1), "before": str(before), "after": str(after)}
        leaks(verdict, before, after)
        failed = verdict.counts["sipp's statistics"]["failed"]
        verdict.check(not failed, f"sipp counts {failed} failed calls")
        verdict.check(verdict.counts["recovered ends"] == 0, "ends were told late without a fault")
        return verdict


async def settled_footprint(trial: Trial, before: Footprint) -> Footprint:
    """The footprint after short-lived tasks and connections have ended."""
    found = await trial.footprint()

    async def level() -> bool:
        nonlocal found
        found = await trial.footprint()
        return found.tasks <= before.tasks and found.descriptors <= before.descriptors

    try:
        await until(level, "as before", 10)
    except AssertionError:
        return found
    return found


def leaks(verdict: Verdict, before: Footprint, after: Footprint) -> None:
    """Note what the daemon holds more than before."""
    verdict.check(after.tasks <= before.tasks + _MORE_TASKS, f"tasks: {before.tasks}, then {after.tasks}")
    more = after.descriptors - before.descriptors
    verdict.check(more <= _MORE_DESCRIPTORS, f"descriptors: {before.descriptors}, then {after.descriptors}")
    verdict.check(after.resident_kib - before.resident_kib <= _MORE_KIB, f"memory: {before}, then {after}")


async def with_faults(calls: int, at_once: int, lines: int, away: Away) -> Verdict:
    """Make calls while broker, daemon and Asterisk are killed and the daemon hangs, one after the other."""
    async with Trial(lines) as trial:
        figures: dict[str, str | float] = {}
        problems: list[str] = []
        callers = await trial.call(calls, at_once)
        await begun(callers, max(1, calls // 20))
        figures["broker back → daemon ready, s"] = await broker_away(trial, away.broker_s)
        await asyncio.sleep(away.between_s)
        figures |= await daemon_away(trial, away, problems)
        await asyncio.sleep(away.between_s)
        if away.stop_s:
            figures["daemon resumed → ready, s"] = await daemon_hangs(trial, away.stop_s)
            await asyncio.sleep(away.between_s)
        figures["Asterisk up → lines in service, s"] = await asterisk_dies(trial)
        left = [one.statistics()["created"] for one in callers]
        figures["calls begun before the last fault was over"] = sum(left)
        await trial.finished(callers, _LONGEST_S)
        await trial.quiet()
        verdict = await trial.verdict()
        verdict.counts |= figures
        verdict.problems += problems
        return verdict


async def begun(callers: list[Callers], calls: int) -> None:
    """Wait until so many calls have been begun."""

    def enough() -> bool:
        try:
            return sum(one.statistics()["created"] for one in callers) >= calls
        except (FileNotFoundError, IndexError):
            return False

    await until(enough, f"{calls} calls", 60)


async def ready(trial: Trial) -> float:
    """Wait until the daemon says that every part is ready; return how long that took, seconds."""
    began = time.monotonic()
    try:
        await until(trial.stand.gateway_ready, "the gateway is ready", 60)
    except AssertionError:
        print(f"not ready: {await asyncio.to_thread(adapters, trial)}")
        raise
    return round(time.monotonic() - began, 2)


async def broker_away(trial: Trial, away_s: float) -> float:
    """Kill the broker and start it again; return seconds from its start until the daemon is whole."""
    trial.stand.broker.kill()
    await trial.stand.broker.ended()
    await asyncio.sleep(away_s)
    await trial.stand.start_broker()
    return await ready(trial)


async def daemon_away(trial: Trial, away: Away, problems: list[str]) -> dict[str, str | float]:
    """Kill the daemon with calls up that must go on, be recorded and be adopted; start it again."""
    talk_ms = int((away.daemon_s + 12) * 1000)
    long = await trial.call(3, 3, [replace(LONG, pause_ms=(talk_ms, talk_ms + 1))])
    numbers = {f"{LONG.prefix}{long[0].first + row:08d}" for row in range(3)}

    def answered() -> bool:
        return numbers <= {
            event["data"]["caller"] for event in trial.events() if event["type"] == "tel.call_answered.v1"
        }

    await until(answered, "the long calls are answered", 20)
    trial.stand.gateway.kill()
    await trial.stand.gateway.ended()
    before = {number: trial.recordings_of(number) for number in numbers}
    await asyncio.sleep(away.daemon_s)
    grown: list[int] = []
    for number in numbers:
        more = [late - early for late, early in zip(trial.recordings_of(number), before[number], strict=True)]
        grown += more
        if min(more) <= 0 and away.daemon_s >= 5:  # Asterisk writes 32 KiB at a time: 4.1 s
            problems.append(f"a recording did not grow while the daemon was dead: {more} bytes")
    took = await trial.timed_gateway_start()
    with trial.stand.client() as client:
        problems += [] if client.status()["state"] == "READY" else ["not ready after the start"]
    up = await trial.metric("trunkline_calls_up")
    if up < len(numbers):
        problems.append(f"{up} calls are up after the restart, {len(numbers)} were not over")
    await trial.finished(long, 60)
    figures: dict[str, str | float] = {"daemon started → ready, s": round(took, 2), "calls up right after": up}
    figures["recordings grew while the daemon was dead, bytes each"] = f"{min(grown)} to {max(grown)}"

    def ends() -> list[dict[str, object]]:
        return [e for e in trial.events() if e["type"] == "tel.call_ended.v1" and e["data"]["caller"] in numbers]

    await until(lambda: len(ends()) == len(numbers), "the adopted calls end", 30)
    if any(end.get("recovered") for end in ends()):
        problems.append("the end of an adopted call was told as recovered")
    return figures


async def daemon_hangs(trial: Trial, stopped_s: float) -> float:
    """Stop the daemon for a while (SIGSTOP); return seconds from its resumption until it is whole."""
    trial.stand.gateway.pause()
    await asyncio.sleep(stopped_s)
    trial.stand.gateway.resume()
    return await ready(trial)


async def asterisk_dies(trial: Trial) -> float:
    """Kill Asterisk and start it again; return seconds from there until the daemon is whole."""
    process = trial.stand.asterisk.process
    process.kill()
    await process.ended()
    await trial.stand.asterisk.start(40)
    return await ready(trial)


SCENARIOS: dict[str, tuple[int, Callable[[int], Awaitable[Verdict]]]] = {
    "eight": (1000, lambda calls: in_peace(calls, 8, 8)),
    "fifty": (1000, lambda calls: in_peace(calls, 50, 64)),
    "faults": (1000, lambda calls: with_faults(calls, max(4, calls // 40), 64, Away())),
    **{name: (0, lambda _, run=run: run()) for name, run in SMALL.items()},
}


def show(name: str, verdict: Verdict) -> None:
    """Print the figures of a scenario."""
    print(f"\n== {name}: {'good' if not verdict.problems else 'NOT GOOD'}")
    for key, value in verdict.counts.items():
        print(f"   {key}: {quantiles(value) if isinstance(value, list) else value}")
    for problem in verdict.problems[:40]:
        print(f"   !! {problem}")
    if len(verdict.problems) > 40:
        print(f"   !! and {len(verdict.problems) - 40} more")
    sys.stdout.flush()


def main() -> int:
    """Run the scenarios that were named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="*", help=f"of {', '.join(SCENARIOS)}; all without any")
    parser.add_argument("--calls", type=int, help="fewer calls, for a quick look")
    arguments = parser.parse_args()
    good = True
    for name in arguments.scenario or SCENARIOS:
        calls, run = SCENARIOS[name]
        verdict = asyncio.run(run(arguments.calls or calls))
        show(name, verdict)
        good = good and not verdict.problems
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
