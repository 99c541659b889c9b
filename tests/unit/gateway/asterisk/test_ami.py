import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from gateway.asterisk.ami import EVERY, AmiClient
from gateway.asterisk.ami_queue import AmiQueue
from gateway.asterisk.errors import (
    AmiDeadlineError,
    AmiGapError,
    AmiLoginError,
    AmiLostError,
    AmiProtocolError,
    AmiRefusedError,
    AmiUnavailableError,
    UnsafeValueError,
)
from gateway.asterisk.options import AmiOptions
from gateway.core.clock import SystemClock
from gateway.core.errors import Kind
from gateway.core.options import Secret
from tests.support.fake_ami import FakeAmi, fake_ami
from tests.support.wait import until


class Reporter:
    def __init__(self) -> None:
        self.states: list[str] = []
        self.is_ready = asyncio.Event()

    def ready(self) -> None:
        self.states.append("ready")
        self.is_ready.set()

    def degraded(self, reason: str) -> None:
        self.states.append(reason)


@pytest.fixture
async def fake() -> AsyncIterator[FakeAmi]:
    async with fake_ami() as running:
        yield running


@pytest.fixture
def make(fake, tmp_path):
    (tmp_path / "secret").write_text("secret\n")

    def client(**options) -> AmiClient:
        values = {"port": fake.port, "secret": Secret(file=str(tmp_path / "secret")), "login_timeout_s": 2.0}
        return AmiClient(AmiOptions(**(values | options)), SystemClock())

    return client


@contextlib.asynccontextmanager
async def running(client: AmiClient) -> AsyncIterator[asyncio.Task[None]]:
    reporter = Reporter()
    task = asyncio.create_task(client.run(reporter), name="ami")
    waiter = asyncio.create_task(reporter.is_ready.wait())
    try:
        await asyncio.wait([task, waiter], return_when=asyncio.FIRST_COMPLETED, timeout=5)
        if task.done():
            task.result()
        assert reporter.states == ["ready"]
        yield task
    finally:
        waiter.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("challenge", [True, False])
async def test_login_filters_then_events(fake, make, challenge):
    client = make(challenge=challenge)
    client.subscribe("Hangup", handler=lambda _: None)
    async with running(client):
        names = [action["Action"] for action in fake.actions]
        assert names == (["Challenge"] if challenge else []) + ["Login", "Filter", "Filter", "Filter", "Events"]
        assert {a["MatchCriteria"] for a in fake.named("Filter")} == {
            f"action(include),name({name})" for name in ("FullyBooted", "Shutdown", "Hangup")
        }
        assert ("Secret" in fake.named("Login")[0]) is not challenge
        assert client.connected
    assert not client.connected


async def test_the_boot_may_end_between_two_filters(fake, make):
    client = make()
    client.subscribe("BridgeEnter", handler=lambda _: None)
    async with running(client):
        pass
    wanted = [each["MatchCriteria"] for each in fake.named("Filter")]
    assert wanted[0] == "action(include),name(FullyBooted)"


async def test_a_wrong_secret_is_a_configuration_error(fake, make):
    fake.secret = "another"
    with pytest.raises(AmiLoginError) as caught:
        await make().run(Reporter())
    assert caught.value.kind is Kind.CONFIG
    assert "secret" not in str(caught.value.fields.get("reason"))


async def test_a_server_without_filters_works_all_the_same(fake, make):
    fake.answers["Filter"] = lambda a: f"Response: Error\r\nActionID: {a['ActionID']}\r\nMessage: No\r\n\r\n".encode()
    async with running(make()):
        assert fake.named("Events")


async def test_no_port_no_greeting_wrong_greeting(fake, make):
    with pytest.raises(AmiUnavailableError):
        await make(port=1).run(Reporter())
    fake.greeting = b""
    with pytest.raises(AmiUnavailableError):
        await make(login_timeout_s=0.1).run(Reporter())
    fake.greeting = b"SSH-2.0-OpenSSH\r\n"
    with pytest.raises(AmiProtocolError):
        await make().run(Reporter())


async def test_fully_booted_is_awaited(fake, make):
    fake.booted = False
    with pytest.raises(AmiUnavailableError):
        await make(boot_timeout_s=0.1).run(Reporter())
    client = make()
    reporter = Reporter()
    task = asyncio.create_task(client.run(reporter))
    await until(lambda: fake.named("Events") if fake.sessions == 2 else None, "the second login")
    assert reporter.states == []
    fake.event("FullyBooted")
    await asyncio.wait_for(reporter.is_ready.wait(), 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_events_reach_their_handlers_and_a_failing_one_deafens_nobody(fake, make):
    client = make()
    seen: list[str] = []
    gaps: list[str] = []

    def broken(_):
        raise ZeroDivisionError

    client.on_gap(gaps.append)
    client.subscribe("Newchannel", handler=broken)
    end = client.subscribe("Newchannel", "Hangup", handler=lambda m: seen.append(m.event + m.get("Name")))
    async with running(client):
        fake.event("Newchannel", Name="单雄信")
        fake.event("Other")
        fake.event("Hangup", Name="🚒")
        await until(lambda: len(seen) == 2, "two events")
        assert seen == ["Newchannel单雄信", "Hangup🚒"]
        assert gaps == ["a handler of Newchannel failed"]
        end()
        fake.event("Hangup")
        await client.action("Ping")
        assert len(seen) == 2


async def test_a_late_subscription_to_what_is_filtered_is_refused(make):
    client = make()
    client.subscribe("Hangup", handler=lambda _: None)
    async with running(client):
        client.subscribe("Hangup", handler=lambda _: None)
        with pytest.raises(ValueError, match="Newchannel"):
            client.subscribe("Newchannel", handler=lambda _: None)


async def test_every_event(fake, make):
    client = make()
    seen = []
    client.subscribe(EVERY, handler=lambda m: seen.append(m.event))
    async with running(client):
        assert not fake.named("Filter")
        fake.event("Anything")
        await until(lambda: "Anything" in seen, "the event")


async def test_actions_and_their_errors(fake, make):
    client = make()
    with pytest.raises(AmiUnavailableError):
        await client.action("Ping")
    fake.answers["Bad"] = lambda a: f"Response: Error\r\nActionID: {a['ActionID']}\r\nMessage: No such\r\n\r\n".encode()
    fake.answers["Mute"] = lambda _: None
    async with running(client):
        await client.action("Setvar", Variable=["A=1", "B=2"])
        assert fake.raw[-1].count(b"Variable: ") == 2
        with pytest.raises(AmiRefusedError, match="No such"):
            await client.action("Bad")
        with pytest.raises(AmiDeadlineError) as caught:
            await client.action("Mute", deadline_s=0.05)
        assert caught.value.kind is Kind.UNKNOWN_OUTCOME
        fake.send("Response: Success\r\nActionID: late\r\n\r\n")
        sent = len(fake.actions)
        with pytest.raises(UnsafeValueError):
            await client.action("Originate", CallerID="x\r\nAction: Command")
        await client.action("Ping")
        assert len(fake.actions) == sent + 1


async def test_answers_out_of_order_find_their_actions(fake, make):
    held: list[str] = []
    fake.answers["A"] = lambda a: held.append(a["ActionID"])
    client = make()
    async with running(client):
        both = [asyncio.create_task(client.action("A", N=str(n))) for n in range(2)]
        await until(lambda: len(held) == 2, "both actions")
        for n, action_id in reversed(list(enumerate(held))):
            fake.send(f"Response: Success\r\nActionID: {action_id}\r\nN: {n}\r\n\r\n")
        assert [answer.get("N") for answer in await asyncio.gather(*both)] == ["0", "1"]


async def test_a_lost_session_fails_what_waits_at_once_and_replays_nothing(fake, make):
    lost: list[str] = []
    fake.answers["Originate"] = lambda _: None
    client = make()
    client.on_lost(lost.append)
    async with running(client) as task:
        waiting = asyncio.create_task(client.action("Originate", deadline_s=60))
        await until(lambda: fake.named("Originate"), "the action")
        fake.drop()
        with pytest.raises(AmiLostError) as caught:
            await waiting
        assert caught.value.outcome_unknown
        with pytest.raises(AmiUnavailableError):
            await task
        with pytest.raises(AmiUnavailableError):
            await client.action("Ping")
    assert len(lost) == 1
    async with running(client):
        assert len(fake.named("Originate")) == 1


async def test_an_action_that_could_not_be_written_is_known_not_to_have_happened(fake, make):
    client = make(ping_interval_s=60.0)
    async with running(client) as task:
        fake.reading.clear()
        big = ["x" * 1000] * 120
        waiting = [asyncio.create_task(client.action("Setvar", deadline_s=60, Variable=big)) for _ in range(100)]
        await until(lambda: client._session is not None and not client._session._writable.is_set(), "a full pipe")
        fake.drop()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(result, AmiLostError) for result in results)
        flags = [result.outcome_unknown for result in results]
        assert flags[0] is True
        assert flags[-1] is False
        with pytest.raises(AmiUnavailableError):
            await task


async def test_lists(fake, make):
    def channels(action):
        i = action["ActionID"]
        return (
            f"Response: Success\r\nActionID: {i}\r\nEventList: start\r\n\r\n"
            f"Event: CoreShowChannel\r\nActionID: {i}\r\nUniqueid: 1\r\n\r\n"
            "Event: CoreShowChannel\r\nUniqueid: other\r\n\r\n"
            f"Event: CoreShowChannelsComplete\r\nActionID: {i}\r\nEventList: Complete\r\n\r\n"
        ).encode()

    fake.answers["CoreShowChannels"] = channels
    fake.answers["ConfbridgeListRooms"] = lambda a: (
        f"Response: Error\r\nActionID: {a['ActionID']}\r\nMessage: No active conferences.\r\n\r\n".encode()
    )
    client = make()
    others: list[str] = []
    client.subscribe("CoreShowChannel", handler=lambda m: others.append(m.get("Uniqueid")))
    async with running(client):
        assert [m.get("Uniqueid") for m in await client.list_action("CoreShowChannels")] == ["1"]
        assert others == ["other"]
        assert await client.list_action("ConfbridgeListRooms") == []
        with pytest.raises(AmiRefusedError):
            await client.action("ConfbridgeListRooms")


async def test_hooks_run_after_each_login_before_ready(fake, make):
    client = make(adopt_timeout_s=0.2)
    calls: list[bool] = []

    async def adopt() -> None:
        await client.action("CoreStatus")
        calls.append(client.connected)

    client.on_session(adopt)
    for _ in range(2):
        async with running(client):
            pass
    assert calls == [True, True]

    async def hang() -> None:
        await asyncio.Event().wait()

    client.on_session(hang)
    with pytest.raises(AmiUnavailableError):
        await client.run(Reporter())


async def test_a_silent_asterisk_is_found_by_ping(fake, make):
    client = make(ping_interval_s=0.05, ping_timeout_s=0.1)
    async with running(client) as task:
        await until(lambda: fake.named("Ping"), "a ping")
        fake.answers["Ping"] = lambda _: None
        with pytest.raises(AmiUnavailableError, match="ping"):
            await asyncio.wait_for(task, 5)


async def test_garbage_and_floods_are_survived_and_told(fake, make):
    client = make()
    gaps: list[str] = []
    seen: list[str] = []
    client.on_gap(gaps.append)
    client.subscribe("Newchannel", handler=lambda m: seen.append(m.get("Uniqueid")))
    async with running(client):
        fake.send(b"\xff\x00\r\n\r\n" + b"y" * (2 << 20) + b"\r\n\r\n")
        for n in range(20_000):
            fake.event("Newchannel", Uniqueid=str(n), Filler="x" * 100)
        await client.action("Ping", deadline_s=20)
        assert seen == [str(n) for n in range(20_000)]
        assert gaps


async def test_no_task_is_left(make):
    before = asyncio.all_tasks()
    client = make()
    async with running(client):
        pass
    await until(lambda: {t for t in asyncio.all_tasks() - before if "serve" not in repr(t)} == set(), "no task left")


async def test_a_queue_tells_its_loss(fake, make):
    client = make()
    queue = client.open_queue("Newchannel", limit=10)
    async with running(client):
        for n in range(25):
            fake.event("Newchannel", Uniqueid=str(n))
        await client.action("Ping")
        with pytest.raises(AmiGapError, match="20"):
            await queue.get()
        assert [(await queue.get()).get("Uniqueid") for _ in range(5)] == ["20", "21", "22", "23", "24"]
        queue.close()
        fake.event("Newchannel")
        await client.action("Ping")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.get(), 0.01)
    assert isinstance(queue, AmiQueue)
