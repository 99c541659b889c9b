"""Everything on this machine: broker, Asterisk and gateway, one demonstration call, then events until Ctrl-C."""

import asyncio
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

import config.asterisk.fallback
from config.asterisk.plan import AsteriskPlan, Fallback, Folders, Line, Phone, Trunk
from gateway.app.stand.asterisk import AsteriskChild, Installation
from gateway.app.stand.errors import ProgramFailedError
from gateway.app.stand.phones import PhoneSetup, Softphone
from gateway.app.stand.ports import free_ports
from gateway.app.stand.processes import Child, Ready
from gateway.app.stand.speech import EMERGENCY_CALL, OPERATOR_ANSWER, speak
from gateway.core.errors import TrunklineError

# The public network has a loopback address of its own, so that its calls are told from those of the phones.
NETWORK_ADDRESS = "127.0.0.2"
NUMBERS = tuple(f"8811000{line}" for line in range(1, 9))
PHONES = ("101", "102")
CALLER = "13800001111"
CALLER_NAME = "单雄信"

_STARTUP_S = 30.0
_TALK_S = 8.0
_LONGEST_VALUE = 60

Events = Callable[[], AsyncIterator[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """What is started, in this order, and how each is known to be ready. ``events`` yields CloudEvents as they pass."""

    folder: Path
    broker: Child
    broker_ready: Ready
    asterisk: AsteriskChild
    gateway: Child
    gateway_ready: Ready
    events: Events
    hint: str


def demonstration_plan(folder: Path, run: Path, installation: Installation, fastagi_port: int) -> AsteriskPlan:
    """Return a plan of eight lines and two phones with fresh credentials, on free ports of loopback alone."""
    (ami,) = free_ports(1)
    (sip,) = free_ports(1, udp=True)
    (network,) = free_ports(1, udp=True, host=NETWORK_ADDRESS)
    return AsteriskPlan(
        folders=Folders(
            config=folder / "etc",
            modules=installation.modules,
            data=installation.data,
            state=folder / "state",
            run=run,
            recordings=folder / "recordings",
        ),
        fallback=Fallback(Path(sys.executable), Path(config.asterisk.fallback.__file__), folder / "fallback.json"),
        lines=tuple(Line(f"line-{index}", (number,)) for index, number in enumerate(NUMBERS, 1)),
        phones=tuple(Phone(number, secrets.token_urlsafe(18)) for number in PHONES),
        trunk=Trunk(NETWORK_ADDRESS, network, (NETWORK_ADDRESS,)),
        ami_port=ami,
        ami_secret=secrets.token_urlsafe(24),
        fastagi_port=fastagi_port,
        sip_port=sip,
    )


async def demo(parts: Demonstration, say: Callable[[str], None] = print) -> int:
    """Run until SIGINT, SIGTERM or SIGHUP, then stop everything that was started and nothing else.

    Returns the exit code: 0 after a signal, the error's own when something failed.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    work = asyncio.create_task(_work(parts, say), name="demonstration")
    waiting = asyncio.create_task(stop.wait(), name="demonstration-stop")
    try:
        await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            await work
            return 0
        say("stopping …")
    except TrunklineError as error:
        say(error.message())
        return error.kind.exit_code
    else:
        return 0
    finally:
        waiting.cancel()
        work.cancel()
        await asyncio.gather(work, waiting, return_exceptions=True)
        for number in signals:
            loop.remove_signal_handler(number)


async def _work(parts: Demonstration, say: Callable[[str], None]) -> None:
    async with AsyncExitStack() as stack:
        say("starting the broker …")
        stack.push_async_callback(parts.broker.stop)
        await parts.broker.start(parts.broker_ready, _STARTUP_S)
        say(f"starting Asterisk {parts.asterisk.installation.version} …")
        stack.push_async_callback(parts.asterisk.stop)
        await parts.asterisk.start(_STARTUP_S)
        say("starting the gateway …")
        stack.push_async_callback(parts.gateway.stop)
        await parts.gateway.start(parts.gateway_ready, _STARTUP_S)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_show(parts.events(), say), name="demonstration-events")
                for child in (parts.broker, parts.asterisk.process, parts.gateway):
                    tasks.create_task(_watch(child), name=f"demonstration-watch-{child.name}")
                await _call(parts, say)
                say(parts.hint)
        except BaseExceptionGroup as group:
            # one failure takes the others with it: the first is the one to tell
            raise group.exceptions[0] from group


async def _call(parts: Demonstration, say: Callable[[str], None]) -> None:
    plan, folder = parts.asterisk.plan, parts.folder
    server = f"{plan.sip_address}:{plan.sip_port}"
    say("a telephone is put on the desk, and somebody calls for help …")
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    operator = PhoneSetup(
        user=plan.phones[0].number,
        password=plan.phones[0].password,
        server=server,
        folder=folder / "operator",
        speech=await speak(folder / "operator.wav", OPERATOR_ANSWER),
        answer="auto",
    )
    caller = PhoneSetup(
        user=CALLER,
        name=CALLER_NAME,
        server=server,
        address=NETWORK_ADDRESS,
        folder=folder / "caller",
        speech=await speak(folder / "caller.wav", EMERGENCY_CALL),
    )
    async with Softphone(operator), Softphone(caller) as telephone:
        await telephone.dial(plan.lines[0].numbers[0])
        await telephone.wait_for("CALL_ESTABLISHED", deadline_s=_STARTUP_S)
        await asyncio.sleep(_TALK_S)
        await telephone.hang_up()


async def _show(events: AsyncIterator[Mapping[str, Any]], say: Callable[[str], None]) -> None:
    async for event in events:
        say(readable(event))


async def _watch(child: Child) -> None:
    await child.ended()
    raise ProgramFailedError(
        program=child.name,
        what=f"ended with {child.returncode}",
        tail=await asyncio.to_thread(child.tail),
        log=child.log,
    )


def readable(event: Mapping[str, Any]) -> str:
    """Return one event as one line: time of day, type, subject, then its data as ``key=value``."""
    time = str(event.get("time", ""))[11:23]
    data = event.get("data")
    values = data.items() if isinstance(data, Mapping) else ()
    texts = (f"{key}={_short(value)}" for key, value in values if value not in (None, "", [], {}))
    return f"{time:<12}  {event.get('type', '?'):<28} {event.get('subject', '')}  {' '.join(texts)}".rstrip()


def _short(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    # a line of a terminal: no control character of a caller's name reaches it
    text = "".join(character if character.isprintable() else "·" for character in text)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
