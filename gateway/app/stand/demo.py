"""Everything on this machine: broker, Asterisk and gateway, one demonstration call, then events until Ctrl-C."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from importlib import resources
from pathlib import Path
from typing import Any, Self

import httpx

from gateway.app.client import server_sent_events
from gateway.app.house import open_house
from gateway.app.paths import StatePaths, default_state_folder
from gateway.app.show import event_line
from gateway.app.stand.asterisk import find_asterisk
from gateway.app.stand.errors import NobodyAnsweredError, ProgramFailedError
from gateway.app.stand.phones import PhoneSetup, Softphone
from gateway.app.stand.processes import Child, find_program
from gateway.app.stand.sipp import network
from gateway.app.stand.speech import EMERGENCY_CALL, OPERATOR_ANSWER, raw_alaw, speak
from gateway.app.stand.stand import NETWORK_ADDRESS, Stand
from gateway.bus.options import BusOptions
from gateway.core.errors import DeadlineError, TrunklineError
from gateway.principals.model import SYSTEM, Right
from gateway.web.options import WebOptions
from trunks.telephone.events import CallEnded

CALLER = "13800001111"
CALLER_NAME = "单雄信"
_OPERATOR = "admin"
_APPLICATION = "demo"
_TALK_S = 8.0
_ANSWER_S = 30.0

Say = Callable[[str], None]


def _print(line: str) -> None:
    print(line, flush=True)  # seen at once, also by who reads a pipe


async def run_demo(config: Path | None, state: Path | None, *, once: bool, say: Say = _print) -> int:
    """Run until SIGINT, SIGTERM or SIGHUP (with *once*: until the call is over), then stop everything started here.

    Returns the exit code: 0 after a signal, the error's own when something failed.
    """
    os.umask(0o077)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    work = asyncio.create_task(_work(config, state or default_state_folder(), once, say), name="demonstration")
    waiting = asyncio.create_task(stop.wait(), name="demonstration-stop")
    try:
        await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            say("stopping …")
        else:
            await work
    except TrunklineError as error:
        say(f"[{error.code}] {error.message()}")
        return error.kind.exit_code
    finally:
        waiting.cancel()
        work.cancel()
        await asyncio.gather(work, waiting, return_exceptions=True)
        for number in signals:
            loop.remove_signal_handler(number)
    return 0


async def _work(config: Path | None, state: Path, once: bool, say: Say) -> None:  # noqa: FBT001
    stand = Stand(state, config=config, usual_ports=True)
    say(f"state lies in {state}")
    for setting, (wanted, port) in stand.moved.items():
        say(f"port {wanted} is taken by another program: {port} instead (elsewhere: TRUNKLINE_{setting}={port})")
    find_program("mosquitto")
    await asyncio.to_thread(find_asterisk)
    passwords = await _furnish(stand)
    async with AsyncExitStack() as stack:
        say("starting the broker …")
        await stand.start_broker()
        stack.push_async_callback(stand.__aexit__, None, None, None)
        say("starting Asterisk …")
        await stand.start_asterisk()
        say(f"starting the gateway … (Asterisk {stand.asterisk.installation.version} runs)")
        await stand.start_gateway()
        try:
            async with asyncio.TaskGroup() as tasks:
                over = asyncio.Event()
                first = await asyncio.to_thread(_next_seq, stand)
                events = tasks.create_task(_show(stand.paths, first, say, over), name="demonstration-events")
                watches = [
                    tasks.create_task(_watch(child), name=f"demonstration-watch-{child.name}")
                    for child in (stand.broker, stand.asterisk.process, stand.gateway)
                ]
                async with Telephones(stand) as telephones:
                    say("a telephone is put on the desk, and somebody calls for help …")
                    await telephones.call_for_help()
                    await _told(over)
                    for line in _hints(stand, passwords, config):
                        say(line)
                    if not once:
                        await asyncio.Event().wait()
                for task in (events, *watches):
                    task.cancel()
        except BaseExceptionGroup as group:
            # one failure takes the others with it: the first is the one to tell
            raise group.exceptions[0] from group


class Telephones:
    """The desk's telephone, which answers by itself, and a public network that answers every call."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._folder = stand.paths.root / "demo"
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        plan = self._stand.asterisk.plan
        operator = PhoneSetup(
            user=plan.phones[0].number,
            password=plan.phones[0].password,
            server=self._server,
            folder=self._folder / "operator",
            speech=await speak(self._folder / "operator.wav", OPERATOR_ANSWER),
            answer="auto",
        )
        await self._stack.enter_async_context(Softphone(operator))
        sound = await raw_alaw(self._folder / "operator.wav")
        far_end = await asyncio.to_thread(network, self._folder / "network", plan.trunk.port, sound, NETWORK_ADDRESS)
        self._stack.push_async_callback(far_end.stop)
        await far_end.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def call_for_help(self) -> None:
        """Call the first line, speak, and hang up."""
        caller = PhoneSetup(
            user=CALLER,
            name=CALLER_NAME,
            server=self._server,
            address=NETWORK_ADDRESS,
            folder=self._folder / "caller",
            speech=await speak(self._folder / "caller.wav", EMERGENCY_CALL),
        )
        async with Softphone(caller) as telephone:
            await telephone.dial(self._stand.asterisk.plan.lines[0].numbers[0])
            try:
                first = await telephone.wait_for("CALL_ESTABLISHED", "CALL_CLOSED", deadline_s=_ANSWER_S)
            except DeadlineError as error:
                raise self._nobody(f"it rang for {_ANSWER_S:g} s") from error
            if first["type"] != "CALL_ESTABLISHED":
                raise self._nobody(str(first.get("param") or "it was refused"))
            await asyncio.sleep(_TALK_S)
            await telephone.hang_up()

    def _nobody(self, what: str) -> NobodyAnsweredError:
        return NobodyAnsweredError(
            what=what, gateway=self._stand.gateway.log, asterisk=self._stand.asterisk.process.log
        )

    @property
    def _server(self) -> str:
        plan = self._stand.asterisk.plan
        return f"{plan.sip_address}:{plan.sip_port}"


async def _furnish(stand: Stand) -> dict[str, str]:
    """Put in what a trial needs: a few contacts, an administrator and an application; return what was made now."""
    made: dict[str, str] = {}
    contacts = resources.files("config").joinpath("examples/contacts.csv").read_bytes()
    async with open_house(stand.settings, stand.paths, running=False) as house:
        await house.directory.import_file(contacts, principal=SYSTEM)
        if not await house.principals.operators():
            made[_OPERATOR] = await house.principals.bootstrap_administrator(_OPERATOR)
        known = [application.name for application in await house.principals.applications.list()]
        applications = house.principals.applications
        rights = (Right("*"),)
        issued = (
            await applications.rotate(SYSTEM, _APPLICATION)
            if _APPLICATION in known
            else await applications.add(SYSTEM, _APPLICATION, rights)
        )
        made[_APPLICATION] = issued.secret
    return made


def _hints(stand: Stand, passwords: dict[str, str], config: Path | None) -> list[str]:
    web = stand.settings.of(WebOptions)
    bus = stand.settings.of(BusOptions)
    program = ".venv/bin/trunkline" if config is None else f".venv/bin/trunkline --config {config}"
    scheme = "https" if web.tls else "http"
    sign_in = (
        f"sign in as {_OPERATOR} / {passwords[_OPERATOR]}"
        if _OPERATOR in passwords
        else f"sign in as {_OPERATOR} (another password: {program} operators password {_OPERATOR})"
    )
    login = f"-u {_APPLICATION} -P {passwords[_APPLICATION]}"
    address = f"-h 127.0.0.1 -p {bus.listener.loopback_port}"
    subscribe = f"mosquitto_sub {address} {login} -t 'gw/v1/{bus.site}/+/+/evt/#' -v"
    return [
        "",
        "Everything runs. Try next, in another terminal (Ctrl-C here stops everything):",
        f"  {program} send tel.dial number=110     the desk's telephone rings, then 110 is dialled",
        f"  {program} status                       how every part is",
        f"  {program} events --from-seq 1          everything that has happened",
        f"  {scheme}://{web.host}:{web.port}/   {sign_in}",
        f"  {subscribe}",
        "",
    ]


def _next_seq(stand: Stand) -> int:
    with stand.client() as client:
        return int(client.status()["last_seq"]) + 1


async def _told(over: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_ANSWER_S):
            await over.wait()
    except TimeoutError as error:
        raise DeadlineError(what="the event of the call's end", timeout_s=_ANSWER_S) from error


async def _show(paths: StatePaths, first: int, say: Say, over: asyncio.Event) -> None:
    """Print every event from *first* on; set *over* when a call has ended."""
    async for event in _events(paths, first):
        say(event_line(event))
        if event["type"] == CallEnded.TYPE:
            over.set()


async def _events(paths: StatePaths, first: int) -> AsyncIterator[dict[str, Any]]:
    transport = httpx.AsyncHTTPTransport(uds=str(paths.socket))
    timeout = httpx.Timeout(10.0, read=30.0)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://trunkline.local", timeout=timeout) as client,
        client.stream("GET", "/api/v1/events", params={"from_seq": str(first)}) as answer,
    ):
        async for event in server_sent_events(answer.aiter_lines()):
            yield event


async def _watch(child: Child) -> None:
    await child.ended()
    raise ProgramFailedError(
        program=child.name,
        what=f"ended with {child.returncode}",
        tail=await asyncio.to_thread(child.tail),
        log=child.log,
    )
