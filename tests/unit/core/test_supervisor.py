import asyncio

import pytest

from gateway.core.clock import ManualClock
from gateway.core.options import SecretError
from gateway.core.supervisor import Backoff, State, Supervisor


class Scripted:
    """Fails as often as it is told to, then runs until cancelled."""

    def __init__(self, name: str, failures: list[Exception | None]) -> None:
        self.name = name
        self.failures = failures
        self.runs = 0
        self.released = False

    async def run(self, reporter) -> None:
        self.runs += 1
        if self.failures:
            failure = self.failures.pop(0)
            if failure is not None:
                raise failure
            return
        reporter.ready()
        try:
            await asyncio.Event().wait()
        finally:
            self.released = True


def states(supervisor: Supervisor) -> dict[str, State]:
    return {health.name: health.state for health in supervisor.health()}


async def test_a_failing_adapter_is_started_again_and_stops_no_other():
    clock = ManualClock()
    supervisor = Supervisor(clock)
    bad = Scripted("bad", [RuntimeError("boom"), None])
    good = Scripted("good", [])
    supervisor.start(bad)
    supervisor.start(good)
    await clock.advance(0)
    assert states(supervisor) == {"bad": State.DEGRADED, "good": State.READY}
    assert supervisor.health()[0].reason == "RuntimeError: boom"
    await clock.advance(5)
    assert states(supervisor) == {"bad": State.READY, "good": State.READY}
    assert bad.runs == 3
    assert good.runs == 1
    assert supervisor.health()[0].restarts == 2
    await supervisor.stop()
    assert states(supervisor) == {"bad": State.STOPPED, "good": State.STOPPED}
    assert bad.released
    assert good.released


async def test_a_wrong_setting_is_shown_and_tried_again_slowly():
    clock = ManualClock()
    supervisor = Supervisor(clock, config_retry_s=60)
    adapter = Scripted("ami", [SecretError(source="x", reason="missing")])
    supervisor.start(adapter)
    await clock.advance(59)
    assert states(supervisor) == {"ami": State.CONFIG_ERROR}
    assert adapter.runs == 1
    await clock.advance(2)
    assert states(supervisor) == {"ami": State.READY}
    await supervisor.stop()


async def test_every_change_is_told_once():
    clock = ManualClock()
    told = []
    supervisor = Supervisor(clock, on_change=lambda health: told.append((health.name, health.state)))
    supervisor.disable("radio", "not configured")
    supervisor.start(Scripted("a", []))
    await clock.advance(1)
    await supervisor.stop()
    assert told == [
        ("radio", State.DISABLED),
        ("a", State.STARTING),
        ("a", State.READY),
        ("a", State.STOPPED),
    ]


async def test_a_name_is_supervised_once():
    clock = ManualClock()
    supervisor = Supervisor(clock)
    supervisor.start(Scripted("a", []))
    with pytest.raises(ValueError, match="already"):
        supervisor.start(Scripted("a", []))
    await supervisor.stop()


def test_back_off_grows_to_its_ceiling_and_is_jittered():
    backoff = Backoff(first_s=1, factor=2, longest_s=8)
    assert [backoff.delay_s(n, lambda low, high: high) for n in (1, 2, 3, 4, 50)] == [1, 2, 4, 8, 8]
    assert backoff.delay_s(3, lambda low, high: low) == 2


async def test_settled_means_that_each_is_ready_or_known_not_to_be():
    clock = ManualClock()
    supervisor = Supervisor(clock)
    slow = asyncio.Event()

    class Slow:
        name = "slow"

        async def run(self, reporter) -> None:
            await slow.wait()
            reporter.ready()
            await asyncio.Event().wait()

    supervisor.start(Scripted("bad", [RuntimeError("boom")] * 100))
    supervisor.start(Slow())
    waiting = asyncio.create_task(supervisor.settled(deadline_s=5))
    await clock.advance(1)
    assert not waiting.done()
    slow.set()
    await clock.advance(0)
    assert waiting.done()
    await supervisor.stop()


async def test_settled_does_not_wait_for_ever():
    clock = ManualClock()
    supervisor = Supervisor(clock)

    class Stuck:
        name = "stuck"

        async def run(self, reporter) -> None:
            await asyncio.Event().wait()

    supervisor.start(Stuck())
    waiting = asyncio.create_task(supervisor.settled(deadline_s=5))
    await clock.advance(5)
    assert waiting.done()
    await supervisor.stop()
