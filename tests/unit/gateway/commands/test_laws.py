"""The laws of the dispatcher, tried with random submissions, repeats, waits, clock steps and crashes at every step."""

import asyncio
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.commands import ledger
from gateway.commands.answers import CommandState
from gateway.core.clock import ManualClock
from tests.support.commands import APP, STRANGER, Desk, envelope
from tests.support.memory_store import CrashPlan, MemoryStore

HOWS = ("well", "slow", "slow_before", "refused", "no_answer", "crash", "crash_before")


@dataclass
class Submit:
    command_id: str
    how: str
    ttl_s: float
    stranger: bool
    turns: int


@dataclass
class Advance:
    seconds: float


@dataclass
class Crash:
    """The life ends here at the latest; *at* is the step of the next life at which that one ends."""

    at: int | None


@dataclass
class Seen:
    accepted: set = field(default_factory=set)
    final: dict = field(default_factory=dict)


submits = st.builds(
    Submit,
    command_id=st.sampled_from("abc"),
    how=st.sampled_from(HOWS),
    ttl_s=st.sampled_from([-1.0, 1.0, 5.0, 10.0]),
    stranger=st.booleans() | st.just(False),
    turns=st.integers(0, 12),
)
advances = st.builds(Advance, seconds=st.sampled_from([0.0, 0.5, 2.0, 11.0]))
crashes = st.builds(Crash, at=st.none() | st.integers(1, 30))


class Run:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock).create()
        self.desk = Desk(self.clock, self.store)
        self.desk.exchange.pause = self.pause
        self.seen = Seen()
        self.waiting = []

    async def pause(self) -> None:
        await self.store.plan.step()  # the plan of the life that it is

    async def unless_crashed(self, work) -> None:
        task = asyncio.create_task(work)
        crashed = asyncio.create_task(self.store.plan.crashed.wait())
        await asyncio.wait([task, crashed], return_when=asyncio.FIRST_COMPLETED)
        crashed.cancel()
        if task.done():
            task.result()
        else:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def live(self, at: int | None) -> None:
        """Begin a life that ends at step *at*, and lives that do not end as long as recovery itself is hit."""
        self.store.plan = CrashPlan(at)
        await self.unless_crashed(self.desk.dispatcher.recover())
        if self.store.plan.crashed.is_set():
            await self.crash(None)

    async def crash(self, at: int | None) -> None:
        for task in self.waiting:
            task.cancel()
        await asyncio.gather(*self.waiting, return_exceptions=True)
        self.waiting = []
        await self.desk.kill()
        await self.live(at)

    async def submit(self, one: Submit) -> None:
        principal = STRANGER if one.stranger else APP
        payload = envelope(self.clock, one.command_id, ttl_s=one.ttl_s, data={"how": one.how})

        async def send() -> None:
            ticket = await self.desk.dispatcher.accept(principal, "tel.dial", payload)
            if ticket.refusal is None:
                self.seen.accepted.add((str(principal), one.command_id))

        self.waiting.append(asyncio.create_task(send()))
        for _ in range(one.turns):
            await asyncio.sleep(0)

    async def run(self, steps: list) -> None:
        await self.live(None)
        for step in steps:
            if self.store.plan.crashed.is_set():
                await self.crash(None)
            match step:
                case Submit():
                    await self.submit(step)
                case Advance():
                    await self.clock.advance(step.seconds)
                case Crash():
                    await self.crash(step.at)
        if self.store.plan.crashed.is_set():
            await self.crash(None)
        self.store.plan.at = None
        await self.clock.advance(30)
        await asyncio.gather(*self.waiting)
        await self.check()
        await self.desk.dispatcher.stop()
        self.store.close()

    async def check(self) -> None:
        assert await self.store.read(ledger.unfinished) == []
        report = await self.desk.audit.verify()
        assert report.faults == ()
        audited: dict[tuple[str, str], list[str]] = {}
        for row in reversed(await self.desk.audit.query(limit=1000)):
            if row.details.get("error") != "command.id_conflict":
                audited.setdefault((row.principal, row.details["command"]), []).append(row.outcome)
        for key, outcomes in audited.items():
            entry = await self.store.read(lambda connection, key=key: ledger.find(connection, *key))
            assert entry is not None
            self.check_one(key, entry.answer.state, outcomes)
        assert self.seen.accepted <= audited.keys()
        for note in self.desk.notes:
            answer = note.answer
            if answer.final and (answer.error or {}).get("code") != "command.id_conflict":
                before = self.seen.final.setdefault((note.principal, answer.command_id), answer.state)
                assert before == answer.state

    def check_one(self, key, state: CommandState, outcomes: list[str]) -> None:
        effects = self.desk.exchange.effects[f"{key[0].partition(':')[2]}/{key[1]}"]
        assert effects <= 1
        assert outcomes in (["accepted", state.value], [state.value])
        if state is CommandState.SUCCEEDED:
            assert effects == 1
        if state in {CommandState.FAILED, CommandState.EXPIRED, CommandState.REJECTED}:
            assert effects == 0


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(submits | advances | crashes, max_size=12))
def test_at_most_once_and_nothing_accepted_is_lost(steps):
    asyncio.run(Run().run(steps))


def test_a_crash_at_every_single_step_of_one_command():
    ends = set()
    for at in range(1, 16):
        run = Run()
        steps = [Crash(at), Submit("a", "well", 5.0, False, 12), Advance(0.5), Advance(0.5)]
        asyncio.run(run.run(steps))
        ends.update(run.seen.final.values())
    assert {CommandState.SUCCEEDED, CommandState.UNKNOWN} <= ends
