"""Tries out every part that the gateway depends on, from outside, and says what to do about what is wrong."""

import asyncio
import os
import shutil
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from config.settings import Settings
from gateway.app.bus import bus_door
from gateway.app.client import DaemonNotRunningError, LocalClient
from gateway.app.credentials import broker_paths
from gateway.app.paths import StatePaths
from gateway.app.stand.asterisk import find_asterisk
from gateway.app.stand.processes import find_program
from gateway.app.switchboard import ami_options
from gateway.asterisk.ami import AmiClient
from gateway.bus.options import BusOptions
from gateway.bus.probe import BrokerProbe, persistence_finding
from gateway.bus.topics import Topics
from gateway.core.clock import SystemClock
from gateway.core.errors import TrunklineError
from gateway.core.text import Language, Text
from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore

_EACH_S = 30.0
_LOW_DISK_BYTES = 2 << 30

Level = Literal["ok", "warning", "failure"]
_WORDS: dict[Level, str] = {"ok": "ok  ", "warning": "WARN", "failure": "FAIL"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one part; ``detail`` holds the next action when it is not good."""

    part: str
    good: bool
    detail: Text
    needed: bool = True

    @property
    def level(self) -> Level:
        """How bad it is: what is not good and not needed either is a warning."""
        if self.good:
            return "ok"
        return "failure" if self.needed else "warning"

    def line(self, language: Language) -> str:
        """Return it for a terminal."""
        return f"{_WORDS[self.level]} {self.part:<10} {self.detail.in_language(language)}"

    def as_dict(self, language: Language) -> dict[str, Any]:
        """Return it for a program."""
        detail = self.detail.in_language(language)
        return {"part": self.part, "level": self.level, "good": self.good, "detail": detail}


Check = Callable[[Settings, StatePaths], Coroutine[Any, Any, Sequence[Finding]]]


async def examine(settings: Settings, paths: StatePaths) -> list[Finding]:
    """Try every part, one after the other; a part that fails hinders no other."""
    checks: tuple[tuple[str, Check], ...] = (
        ("folder", _folder),
        ("programs", _programs),
        ("daemon", _daemon),
        ("store", _store),
        ("broker", _broker),
        ("asterisk", _asterisk),
    )
    findings: list[Finding] = []
    for part, check in checks:
        try:
            async with asyncio.timeout(_EACH_S):
                findings += await check(settings, paths)
        except TrunklineError as error:
            findings.append(Finding(part, good=False, detail=_literal(error.message("en"), error.message("zh"))))
        except (TimeoutError, OSError) as error:
            text = f"{type(error).__name__}: {error}"
            findings.append(Finding(part, good=False, detail=_literal(text, text)))
    return findings


def _literal(en: str, zh: str) -> Text:
    return Text(en, zh)  # a text without fields is shown as it stands, braces too


async def _folder(_settings: Settings, paths: StatePaths) -> Sequence[Finding]:
    await asyncio.to_thread(paths.create)
    free = (await asyncio.to_thread(shutil.disk_usage, paths.root)).free
    writable = os.access(paths.root, os.W_OK)
    detail = f"{paths.root}: {free >> 30} GiB free"
    if not writable:
        detail = f"{paths.root} cannot be written by this user. Run it as the gateway's user."
    elif free < _LOW_DISK_BYTES:
        detail += ". Make room: recordings need about 1 MB a minute."
    return [Finding("folder", good=writable and free >= _LOW_DISK_BYTES, detail=_literal(detail, detail))]


async def _programs(settings: Settings, _paths: StatePaths) -> Sequence[Finding]:
    findings = []
    if settings.of(BusOptions).broker == "private":
        path = await asyncio.to_thread(find_program, "mosquitto")
        findings.append(Finding("programs", good=True, detail=_literal(path, path)))
    asterisk = await asyncio.to_thread(find_asterisk)
    text = f"Asterisk {asterisk.version}, {Path(asterisk.command[-1]).name}"
    return [*findings, Finding("programs", good=True, detail=_literal(text, text))]


async def _daemon(_settings: Settings, paths: StatePaths) -> Sequence[Finding]:
    status = await asyncio.to_thread(status_of, paths)
    if status is None:
        return [Finding("daemon", good=True, detail=Text("is not running", "未运行"))]
    wrong = [
        f"{one['name']} {one['state']} {one['reason']}".strip()
        for one in status["adapters"]
        if one["state"] not in {"READY", "DISABLED"}
    ]
    text = f"runs, epoch {status['epoch']}" + ("; " + "; ".join(wrong) if wrong else "")
    return [Finding("daemon", good=not wrong, detail=_literal(text, text))]


async def _store(settings: Settings, paths: StatePaths) -> Sequence[Finding]:
    options = settings.of(StoreOptions)
    if await asyncio.to_thread(status_of, paths) is not None:
        return [Finding("store", good=True, detail=Text("is held by the running daemon", "由正在运行的守护进程使用"))]
    store = SqlStore(options, folder=paths.root, site=settings.of(BusOptions).site, count_start=False)
    await store.open()
    try:
        text = f"{'PostgreSQL' if options.url else 'SQLite'}: opened and written, {store.last_seq} events"
    finally:
        await store.close()
    return [Finding("store", good=True, detail=_literal(text, text))]


async def _broker(settings: Settings, paths: StatePaths) -> Sequence[Finding]:
    options = settings.of(BusOptions)
    login, port = await asyncio.to_thread(bus_door, options, paths)
    probe = BrokerProbe(port, login, Topics(options.site), SystemClock(), deadline_s=options.deadline_s)
    findings = await probe.run()
    if options.broker == "private":
        configuration = broker_paths(paths).configuration
        findings.append(persistence_finding(await asyncio.to_thread(configuration.read_text, "utf-8")))
    return [Finding("broker", good=one.good, needed=one.needed, detail=one.detail) for one in findings]


async def _asterisk(settings: Settings, paths: StatePaths) -> Sequence[Finding]:
    joined = await asyncio.to_thread(_seen_by_daemon, paths, "ami")
    if joined is not None:
        return [joined]
    options = await asyncio.to_thread(ami_options, settings, paths)
    client = AmiClient(options, SystemClock())
    version: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def ask() -> None:
        answer = await client.action("CoreSettings")
        version.set_result(f"Asterisk {answer.get('AsteriskVersion')}")

    client.on_session(ask)
    session = asyncio.create_task(client.run(_NoReport()), name="doctor-ami")
    try:
        waited: set[asyncio.Future[Any]] = {session, version}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if session.done():
            session.result()
        found = version.result()
    finally:
        session.cancel()
        await asyncio.gather(session, return_exceptions=True)
    text = f"manager interface at {options.host}:{options.port}: {found}"
    return [Finding("asterisk", good=True, detail=_literal(text, text))]


def status_of(paths: StatePaths) -> dict[str, Any] | None:
    """Return the status document of the running daemon, None when no daemon answers. Blocking.

    A socket alone proves nothing: a daemon that was killed leaves it behind.
    """
    with LocalClient(paths.socket) as client:
        try:
            return client.status()
        except DaemonNotRunningError:
            return None


def _seen_by_daemon(paths: StatePaths, adapter: str) -> Finding | None:
    """Return how the running daemon finds Asterisk; it alone knows with which settings it was started."""
    with LocalClient(paths.socket) as client:
        try:
            health = next((one for one in client.status()["adapters"] if one["name"] == adapter), None)
        except TrunklineError:
            return None
    if health is None:
        return None
    text = f"the running daemon's {adapter}: {health['state']} {health['reason']}".strip()
    return Finding("asterisk", good=health["state"] == "READY", detail=_literal(text, text))


class _NoReport:
    """Nobody supervises what the doctor tries."""

    def ready(self) -> None:
        """Tell nobody."""

    def degraded(self, reason: str) -> None:
        """Tell nobody."""
