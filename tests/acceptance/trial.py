"""A whole gateway under load: broker, Asterisk, daemon, operators' phones, callers and an independent consumer."""

import asyncio
import json
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from gateway.app.stand.processes import Child
from gateway.app.stand.stand import Stand
from gateway.bus.options import BusOptions
from tests.acceptance.calls import KINDS, Callers, Kind, Phones, Told
from tests.acceptance.reconcile import Verdict, reconcile, ring_to_subscriber_ms, witnessed
from tests.support import sound
from tests.support.wait import until

APPLICATION = "reconcile"
_CONSUMER = Path(__file__).parent / "consumer.py"
_QUIET_S = 60.0


@dataclass(frozen=True)
class Footprint:
    """What the daemon holds at a moment when no call is up."""

    tasks: int
    descriptors: int
    resident_kib: int
    threads: int

    def __str__(self) -> str:
        return (
            f"{self.tasks} tasks, {self.descriptors} descriptors, {self.threads} threads, "
            f"{self.resident_kib / 1024:.1f} MiB resident"
        )


class Trial:
    """Use it as ``async with``; *lines* is how many lines the switchboard has."""

    def __init__(self, lines: int = 8, *, parent: Path = Path("/tmp"), lose: str = "", **overrides: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tl-", dir=parent))
        self.numbers = tuple(f"8811{line:04d}" for line in range(1, lines + 1))
        entries = (
            f'{{name = "line-{line}", numbers = ["{number}"], priority = {line}}}'
            for line, number in enumerate(self.numbers, 1)
        )
        self.stand = Stand(self.folder, overrides={"TELEPHONE__LINES": f"[{', '.join(entries)}]", **overrides})
        self._lose = lose
        self._stack = AsyncExitStack()
        self._first = 1
        self._told: list[Callers] = []
        self.sound = self.folder / "tone.alaw"
        self.out = self.folder / "events.jsonl"

    async def __aenter__(self) -> Self:
        try:
            await self._stack.enter_async_context(self.stand)
            self.sound.write_bytes(sound.tone(1000, 2.0))
            self._phones = phones = Phones(self.folder / "phones", self.sound)
            await phones.child.start()
            self._stack.push_async_callback(phones.child.stop)
            for phone in self.stand.asterisk.plan.phones:
                await phones.register(self.server, phone.number, phone.password)
            await until(self._reachable, "the phones answer Asterisk", 40)
            await self._consume()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self._stack.aclose()
        if kind is None:
            await asyncio.to_thread(shutil.rmtree, self.folder)
        else:
            print(f"what was written is kept in {self.folder}")

    @property
    def server(self) -> str:
        """Where Asterisk takes SIP."""
        plan = self.stand.asterisk.plan
        return f"{plan.sip_address}:{plan.sip_port}"

    async def call(self, calls: int, at_once: int, kinds: Sequence[Kind] = KINDS) -> list[Callers]:
        """Start *calls* calls of all *kinds*, about *at_once* at a time, on all numbers in turn."""
        started = []
        folder = self.folder / f"calls-{self._first}"
        for kind in kinds:
            share = kind.share or 1.0
            number = max(1, round(calls * share))
            callers = Callers(
                kind,
                calls=number,
                at_once=max(1, round(at_once * share)),
                first=self._first,
                server=self.server,
                called=self.numbers,
                sound=self.sound,
                folder=folder,
            )
            await callers.child.start()
            self._stack.push_async_callback(callers.child.stop)
            self._told.append(callers)
            started.append(callers)
            self._first += number
        return started

    async def finished(self, callers: Sequence[Callers], deadline_s: float) -> None:
        """Wait until every sipp has ended by itself."""
        async with asyncio.timeout(deadline_s):
            for one in callers:
                await one.child.ended()

    def told(self) -> list[Told]:
        """What sipp saw of every call so far. Blocking."""
        return [told for callers in self._told for told in callers.told()]

    def events(self) -> list[dict[str, Any]]:
        """What the consumer has taken so far. Blocking."""
        lines = self.out.read_text(encoding="utf-8").splitlines() if self.out.exists() else []
        return [json.loads(line) for line in lines]

    async def metric(self, name: str) -> float:
        """One of the daemon's metrics."""
        transport = httpx.AsyncHTTPTransport(uds=str(self.stand.paths.socket))
        async with httpx.AsyncClient(transport=transport, base_url="http://trunkline.local", timeout=10.0) as client:
            answer = await client.get("/metrics")
        answer.raise_for_status()
        return next(float(line.split()[1]) for line in answer.text.splitlines() if line.startswith(f"{name} "))

    async def quiet(self, deadline_s: float = _QUIET_S) -> None:
        """Wait until no call is up anywhere and the consumer has everything that is durable."""

        async def settled() -> bool:
            await asyncio.sleep(0.2)
            if await self.metric("trunkline_calls_up"):
                return False
            channels = await self.stand.asterisk.command("core show channels count")
            if not channels.startswith("0 active channels"):
                return False
            last = await self.metric("trunkline_events_last_seq")
            seen = {event["gwseq"] for event in await asyncio.to_thread(self.events)}
            return bool(seen) and all(seq in seen for seq in range(min(seen), int(last) + 1))

        await until(settled, "no call is up and the consumer has every event", deadline_s)

    async def footprint(self) -> Footprint:
        """What the daemon holds now."""
        tasks = int(await self.metric("trunkline_tasks"))
        return await asyncio.to_thread(_footprint, self.stand.gateway.pid, tasks)

    async def verdict(self) -> Verdict:
        """Stop the consumer and compare what it was told with CEL and sipp."""
        await self.consumer.stop()
        summary = json.loads(self.consumer.log.read_text(encoding="utf-8").splitlines()[-1])
        events, told = self.events(), self.told()
        verdict = reconcile(events, witnessed(self.stand.asterisk.cel), told)
        verdict.check(not summary["missing"], f"the consumer misses {summary['missing'][:20]}")
        verdict.counts["consumer"] = summary
        statistics = [one.statistics() for one in self._told]
        total = {name: sum(one[name] for one in statistics) for name in statistics[0]}
        verdict.counts["sipp's statistics"] = total
        wanted = sum(one.calls for one in self._told)
        verdict.check(total["created"] == wanted, f"sipp made {total['created']} of {wanted} calls")
        verdict.counts["ring to subscriber, ms"] = ring_to_subscriber_ms(events, told)
        return verdict

    def recordings_of(self, caller: str) -> list[int]:
        """Bytes of both recordings of the newest call of *caller*. Blocking."""
        calls = [call for call in witnessed(self.stand.asterisk.cel).values() if call.caller == caller]
        folder, name = self.stand.asterisk.plan.folders.recordings, calls[-1].uniqueid
        return [(folder / f"{name}-{direction}.alaw").stat().st_size for direction in ("in", "out")]

    async def timed_gateway_start(self) -> float:
        """Start the daemon again; return seconds until every part is ready."""
        began = time.monotonic()
        await self.stand.start_gateway()
        return time.monotonic() - began

    async def _reachable(self) -> bool:
        await asyncio.sleep(0.2)
        assert self._phones.child.returncode is None, self._phones.child.tail()
        return (await self.stand.asterisk.command("pjsip show contacts")).count(" Avail ") >= 2

    async def _consume(self) -> None:
        with self.stand.client() as client:
            body = {"name": APPLICATION, "rights": [{"verb": "sys.replay", "resource": "*"}], "display_name": ""}
            answer = await asyncio.to_thread(
                lambda: client.command("sys.app_add", body, key=secrets.token_hex(8), ttl_s=None, wait_s=20.0)
            )
        password = self.folder / "consumer-password"
        password.touch(mode=0o600)
        password.write_text(answer["result"]["secret"], encoding="utf-8")
        port = self.stand.settings.of(BusOptions).listener.loopback_port
        command = [sys.executable, _CONSUMER, "--address", f"127.0.0.1:{port}", "--site", self.stand.site]
        command += ["--app", APPLICATION, "--password-file", password, "--out", self.out, "--lose", self._lose]
        self.consumer = Child("consumer", command, log=self.folder / "consumer.log")
        await self.consumer.start()
        self._stack.push_async_callback(self.consumer.stop)
        await until(lambda: "subscribed" in self.consumer.tail(), "the consumer is subscribed")


def _footprint(pid: int, tasks: int) -> Footprint:
    process = Path(f"/proc/{pid}")
    lines = (process / "status").read_text(encoding="ascii").splitlines()
    status = dict(line.split(":", 1) for line in lines)
    return Footprint(
        tasks=tasks,
        descriptors=len(list((process / "fd").iterdir())),
        resident_kib=int(status["VmRSS"].split()[0]),
        threads=int(status["Threads"]),
    )
