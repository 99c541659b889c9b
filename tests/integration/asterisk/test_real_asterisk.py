"""The Asterisk side against a real Asterisk, with pyst2 as an independent peer."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.asterisk.ami import AmiClient
from gateway.asterisk.ami_codec import AmiMessage
from gateway.asterisk.cel import CelPosition, CelReader, CelType
from gateway.asterisk.errors import AgiHangupError, AmiLoginError, AmiRefusedError
from gateway.asterisk.escape import ami_variable
from gateway.asterisk.fastagi import FastAgiServer
from gateway.asterisk.fastagi_session import AgiSession
from gateway.asterisk.options import AmiOptions, FastAgiOptions
from gateway.core.clock import SystemClock
from gateway.core.options import Secret
from gateway.core.supervisor import State, Supervisor
from tests.support.asterisk import AsteriskStand, asterisk_stand
from tests.support.bare_asterisk import SECRET, USER, BareAsterisk, bare_asterisk
from tests.support.wait import until

pytestmark = pytest.mark.integration

HOSTILE = '仇英 "q" \\ (a,b) [c] ${X} ) 🚒𠮷 \'; | & =', "x" * 800, " lead", "", "\t|", "\\", '"'


@pytest.fixture(scope="module")
def asterisk() -> Iterator[BareAsterisk]:
    with bare_asterisk() as running:
        yield running


class House:
    """AMI client and FastAGI server under a supervisor, as the gateway runs them."""

    def __init__(self, asterisk: BareAsterisk, secret_file: str) -> None:
        clock = SystemClock()
        self.asterisk = asterisk
        self.states: list[tuple[str, State]] = []
        self.supervisor = Supervisor(clock, on_change=lambda health: self.states.append((health.name, health.state)))
        self.ami = AmiClient(AmiOptions(port=asterisk.ami_port, user=USER, secret=Secret(file=secret_file)), clock)
        self.handlers: dict[str, object] = {}
        self.fastagi = FastAgiServer(FastAgiOptions(port=0), clock, {"incoming": self.handle})
        self.events: list[AmiMessage] = []
        self.handler = None
        names = ("Newchannel", "Hangup", "UserEvent", "OriginateResponse", "Newstate")
        self.ami.subscribe(*names, handler=self.events.append)

    async def handle(self, session: AgiSession) -> None:
        await self.handler(session)

    def states_of(self, name: str) -> list[State]:
        return [state for who, state in self.states if who == name]

    async def start(self) -> None:
        self.supervisor.start(self.ami)
        self.supervisor.start(self.fastagi)
        await until(lambda: all(h.state is State.READY for h in self.supervisor.health()), "ready")

    async def call(self, extension: str = "agi", **variables: str) -> None:
        values = {"TL_PORT": str(self.fastagi.port), "TL_SCRIPT": "incoming", "TL_ARGUMENT": "line-1", "TL_WAIT": "0"}
        await self.ami.action(
            "Originate",
            Async="true",
            Channel="Local/echo@tl-test/n",
            Context="tl-test",
            Exten=extension,
            Priority="1",
            CallerID='"单雄信" <110>',
            Variable=[ami_variable(name, value) for name, value in (values | variables).items()],
        )

    async def ended(self) -> AmiMessage:
        """Wait for the end of the AGI application of one call."""

        def done() -> AmiMessage | None:
            return next((e for e in self.events if e.get("UserEvent") == "AgiDone"), None)

        return await until(done, "the end of AGI")


@pytest.fixture
async def house(asterisk, tmp_path) -> AsyncIterator[House]:
    secret = tmp_path / "secret"
    secret.write_text(SECRET, encoding="utf-8")
    running = House(asterisk, str(secret))
    await running.start()
    try:
        yield running
    finally:
        await running.supervisor.stop()


async def test_events_are_filtered_by_asterisk(house):
    async def handle(session: AgiSession) -> None:
        await session.set_variable("TL_GOT", session.request.arguments[0])

    house.handler = handle
    await house.call(TL_NAME="曾国藩")
    done = await house.ended()
    assert (done.get("Status"), done.get("Got")) == ("SUCCESS", "line-1")
    assert done.get("CallerIDName") == "曾国藩"
    assert {event.event for event in house.events} <= {
        "Newchannel",
        "Hangup",
        "UserEvent",
        "OriginateResponse",
        "Newstate",
    }


async def test_any_value_goes_to_asterisk_and_comes_back(house):
    got: list[str | None] = []

    async def handle(session: AgiSession) -> None:
        for value in HOSTILE:
            await session.set_variable("TL_X", value)
            got.append(await session.get_variable("TL_X"))

        got.append(await session.get_variable("TL_VALUE"))

    house.handler = handle
    await house.call(TL_VALUE=HOSTILE[0])
    await house.ended()
    assert [value or "" for value in got] == [*HOSTILE, HOSTILE[0]]


async def test_many_variables_in_one_exchange(house):
    values = {f"TL_{number}": value for number, value in enumerate(HOSTILE)} | {"CALLERID(name)": '曾国藩, "x"'}
    got: dict[str, str | None] = {}

    async def handle(session: AgiSession) -> None:
        await session.set_variables(values)
        for name in values:
            got[name] = await session.get_variable(name)

    house.handler = handle
    await house.call()
    await house.ended()
    assert {name: (value or "").strip() for name, value in got.items()} == {k: v.strip() for k, v in values.items()}


async def test_setvar_and_getvar(house):
    for value in HOSTILE:
        await house.ami.action("Setvar", Variable="TL_GLOBAL", Value=value)
        answer = await house.ami.action("Getvar", Variable="TL_GLOBAL")
        assert answer.get("Value").strip() == value.strip()


async def test_the_longest_command_is_taken_whole(house):
    length: list[str | None] = []

    async def handle(session: AgiSession) -> None:
        longest = "x" * (8190 - len('SET VARIABLE "TL_L" ""'))
        await session.set_variable("TL_L", longest)
        # GET VARIABLE itself would cut so long a value.
        length.append((await session.command("GET FULL VARIABLE", "${LEN(${TL_L})}")).value)
        await session.verbose("after")

    house.handler = handle
    await house.call()
    await house.ended()
    assert length == [str(8190 - len('SET VARIABLE "TL_L" ""'))]


async def test_hang_up_in_the_middle(house):
    errors: list[BaseException] = []
    waiting = asyncio.Event()

    async def handle(session: AgiSession) -> None:
        waiting.set()
        try:
            while True:
                await session.exec("Wait", "0.1")
        except AgiHangupError as error:
            errors.append(error)
            raise

    house.handler = handle
    await house.call()
    await asyncio.wait_for(waiting.wait(), 10)
    channels = await house.ami.list_action("CoreShowChannels")
    assert len(channels) == 2
    await house.ami.action("Hangup", Channel=channels[0].get("Channel"))
    await until(lambda: errors, "the hang-up")
    await until(lambda: house.fastagi.sessions == 0, "the session's end")
    assert house.fastagi.failed == 0


async def test_a_crash_of_the_handler_lets_the_dialplan_go_on(house):
    async def handle(session: AgiSession) -> None:
        raise ZeroDivisionError

    house.handler = handle
    await house.call()
    assert (await house.ended()).get("Status") in {"SUCCESS", "FAILURE"}
    assert house.fastagi.failed == 1


async def test_hostile_bytes_in_a_manager_action_harm_nobody(house):
    with socket.create_connection(("127.0.0.1", house.asterisk.ami_port)) as rude:
        rude.sendall(b"\xff\x00Action: Login\r\n" * 1000)
    with pytest.raises(AmiRefusedError):
        await house.ami.action("Nonsense")
    await house.ami.action("Ping")


async def test_what_asterisk_answers_to_lists_without_items(house):
    assert await house.ami.list_action("ConfbridgeListRooms") == []
    assert (await house.ami.action("Command", Command="core show version")).output.startswith("Asterisk ")


async def test_cel_tells_the_whole_life_of_a_call(house):
    async def handle(session: AgiSession) -> None:
        await session.answer()

    house.handler = handle
    reader = CelReader(house.asterisk.cel_path)
    position = CelPosition()
    while (read := await reader.read(position))[0]:
        position = read[1]
    await house.call()
    await house.ended()
    records = []

    async def ended() -> bool:
        nonlocal position
        more, position = await reader.read(position)
        records.extend(more)
        return any(record.type is CelType.LINKEDID_END for record in records)

    await until(ended, "LINKEDID_END")
    started = [record for record in records if record.type is CelType.CHAN_START]
    hung_up = [record for record in records if record.type is CelType.HANGUP]
    assert len(started) == len(hung_up) == 2
    assert {record.hangup_cause for record in hung_up} <= {0, 16}
    assert {record.linkedid for record in records} == {started[0].uniqueid}
    assert reader.garbage == 0
    ami_times = {event.get("Uniqueid") for event in house.events if event.event == "Newchannel"}
    assert ami_times == {record.uniqueid for record in started}


async def test_a_hung_asterisk_is_left_and_one_that_returns_is_adopted(asterisk, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(SECRET, encoding="utf-8")
    house = House(asterisk, str(secret))
    house.ami = AmiClient(
        AmiOptions(
            port=asterisk.ami_port,
            user=USER,
            secret=Secret(file=str(secret)),
            ping_interval_s=0.2,
            ping_timeout_s=0.3,
            login_timeout_s=1.0,
        ),
        SystemClock(),
    )
    adopted: list[int] = []

    async def adopt() -> None:
        adopted.append(len(await house.ami.list_action("CoreShowChannels")))

    house.ami.on_session(adopt)
    await house.start()
    try:
        await house.call("hold")
        os.kill(asterisk.process.pid, signal.SIGSTOP)
        await until(lambda: house.states_of("ami")[-1] is State.DEGRADED, "a lost session")
        os.kill(asterisk.process.pid, signal.SIGCONT)
        await until(lambda: len(adopted) == 2, "the second adoption", 20)
        assert adopted[1] >= 1
        asterisk.stop()
        await until(lambda: house.states_of("ami")[-1] is State.DEGRADED, "a dead Asterisk")
        await asyncio.to_thread(asterisk.start)
        await until(lambda: len(adopted) == 3, "the third adoption", 30)
        assert adopted[2] == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(asterisk.process.pid, signal.SIGCONT)
        await house.supervisor.stop()


async def test_a_wrong_secret_is_refused(asterisk, tmp_path):
    (tmp_path / "wrong").write_text("wrong")
    options = AmiOptions(port=asterisk.ami_port, user=USER, secret=Secret(file=str(tmp_path / "wrong")))

    class Reporter:
        def ready(self) -> None:
            raise AssertionError

        def degraded(self, reason: str) -> None:
            raise AssertionError(reason)

    with pytest.raises(AmiLoginError):
        await AmiClient(options, SystemClock()).run(Reporter())


async def test_pyst2_in_a_classic_script_sees_what_we_wrote(house, tmp_path):
    """The same variable, set through our escaping by AMI, read by pyst2 in a script that Asterisk itself starts."""
    value = '曾国藩 "x", \\ (y)'
    script = tmp_path / "classic.py"
    script.write_text(
        textwrap.dedent(
            f"""\
            #!{sys.executable}
            from asterisk.agi import AGI
            agi = AGI()
            agi.set_variable("TL_GOT", agi.env["agi_callerid"] + "/" + str(agi.get_variable("TL_VALUE") == {value!r}))
            """
        ),
        encoding="utf-8",
    )
    script.chmod(0o755)
    await house.call("classic", TL_SCRIPT=str(script), TL_VALUE=value)
    done = await house.ended()
    assert (done.get("Status"), done.get("Got")) == ("SUCCESS", "110/True")


async def test_the_rights_in_the_configured_asterisk_are_enough(tmp_path):
    """Login, filters, lists and originate with the user that the configuration of the gateway writes."""
    async with asterisk_stand(tmp_path) as stand:
        assert isinstance(stand, AsteriskStand)
        secret = tmp_path / "ami-secret"
        secret.write_text(stand.plan.ami_secret)
        clock = SystemClock()
        options = AmiOptions(port=stand.plan.ami_port, user=stand.plan.ami_user, secret=Secret(file=str(secret)))
        client = AmiClient(options, clock)
        events: list[str] = []
        client.subscribe("Newchannel", "OriginateResponse", handler=lambda event: events.append(event.event))
        supervisor = Supervisor(clock)
        supervisor.start(client)
        try:
            await until(lambda: supervisor.health()[0].state is State.READY, "ready")
            assert client._filtered is not None
            assert await client.list_action("CoreShowChannels") == []
            assert await client.list_action("ConfbridgeListRooms") == []
            await client.action(
                "Originate",
                Async="true",
                Channel="PJSIP/101",
                Context="tl-dial",
                Exten="1",
                Priority="1",
                Timeout="500",
            )
            await until(lambda: "OriginateResponse" in events, "the answer to Originate")
        finally:
            await supervisor.stop()
