"""Single faults, each tried on a whole running gateway with calls about it. Each returns its verdict."""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.app.credentials import credentials
from gateway.app.stand.processes import Child
from tests.acceptance.calls import Callers
from tests.acceptance.reconcile import Verdict
from tests.acceptance.trial import Trial
from tests.support.postgres import PostgresCluster
from tests.support.wait import until

_DEADLINE_S = 120.0


def adapters(trial: Trial) -> dict[str, str]:
    """The state of every adapter. Blocking."""
    with trial.stand.client() as client:
        return {one["name"]: one["state"] for one in client.status()["adapters"]}


async def until_ready(trial: Trial, deadline_s: float = 60.0) -> float:
    """Wait until every part is ready; return seconds."""
    began = time.monotonic()
    await until(trial.stand.gateway_ready, "the gateway is ready", deadline_s)
    return round(time.monotonic() - began, 2)


async def end(trial: Trial, callers: list[Callers]) -> Verdict:
    """Let the calls end and compare."""
    await trial.finished(callers, _DEADLINE_S)
    await trial.quiet()
    return await trial.verdict()


async def replay() -> Verdict:
    """The application loses every `call_answered` on purpose and has to ask for it again."""
    async with Trial(lose="tel.call_answered.v1") as trial:
        verdict = await end(trial, await trial.call(60, 6))
        summary = verdict.counts["consumer"]
        verdict.check(summary["lost_on_purpose"] >= 30, "too little was lost to prove anything")
        verdict.check(summary["replayed"] >= summary["lost_on_purpose"], "not all of it was replayed")
        return verdict


async def ami_session() -> Verdict:
    """Asterisk throws the AMI session out; nothing else is touched."""
    async with Trial() as trial:
        callers = await trial.call(60, 6)
        await asyncio.sleep(3)
        shown = await trial.stand.asterisk.command("manager show connected")
        # user, address, start, elapsed, file descriptor, …
        (row,) = [line.split() for line in shown.splitlines() if line.split()[:1] == ["trunkline"]]
        await trial.stand.asterisk.command(f"manager kick session {row[4]}")
        began = time.monotonic()
        await until(lambda: adapters(trial)["ami"] != "READY", "the loss is seen", 10)
        seen = time.monotonic() - began
        took = await until_ready(trial)
        verdict = await end(trial, callers)
        verdict.counts |= {"loss seen after, s": round(seen, 2), "ready again after, s": took}
        return verdict


async def fastagi_garbage() -> Verdict:
    """Port scans and garbage at FastAGI while calls come in: every caller is treated by the gateway nevertheless."""
    async with Trial() as trial:
        port = trial.stand.asterisk.plan.fastagi_port
        before = await trial.footprint()
        callers = await trial.call(60, 6)
        sent = 0
        garbage = (b"", b"\0" * 100, b"GET / HTTP/1.1\r\n\r\n", b"agi_network: yes\n", b"x" * 20_000, os.urandom(3000))
        while any(one.child.returncode is None for one in callers):
            for data in garbage:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.write(data)
                    await writer.drain()
                    sent += 1
                    if sent % 2:
                        writer.close()
                    else:
                        asyncio.get_running_loop().call_later(1.0, writer.close)
            await asyncio.sleep(0.1)
        await asyncio.sleep(3)
        verdict = await end(trial, callers)
        reasons = [e["data"]["reason"] for e in trial.events() if e["type"] == "tel.call_ringing.v1"]
        verdict.check("fallback" not in reasons, f"{reasons.count('fallback')} callers fell back")
        after = await trial.footprint()
        verdict.check(after.descriptors <= before.descriptors + 6, f"descriptors: {before}, then {after}")
        verdict.counts |= {"connections": sent, "before": str(before), "after": str(after)}
        return verdict


async def asterisk_late() -> Verdict:
    """The daemon starts while nothing answers AMI; Asterisk comes later."""
    async with Trial() as trial:
        await trial.stand.gateway.stop()
        trial.stand.asterisk.process.kill()
        await trial.stand.asterisk.process.ended()
        starting = asyncio.create_task(trial.stand.start_gateway(), name="start-of-the-gateway")
        try:
            await until(trial.stand.paths.socket.exists, "the daemon's socket", 20)
            states: dict[str, str] = {}

            async def seen() -> bool:
                with contextlib.suppress(Exception):
                    states.update(await asyncio.to_thread(adapters, trial))
                return states.get("ami") in {"DEGRADED", "STARTING"} and states.get("broker") == "READY"

            await until(seen, "the daemon runs without Asterisk", 20)
            await asyncio.sleep(4)
            await seen()
            await trial.stand.asterisk.start(40)
            began = time.monotonic()
            await starting
        finally:
            starting.cancel()
        took = time.monotonic() - began
        verdict = await end(trial, await trial.call(20, 5))
        without = {name: state for name, state in states.items() if state not in {"READY", "DISABLED"}}
        verdict.counts |= {"not ready without Asterisk": without, "Asterisk up → ready, s": round(took, 2)}
        return verdict


async def wrong_credentials() -> Verdict:
    """The daemon's password at the broker is wrong: calls go on, and everything is told when it is right again."""
    async with Trial() as trial:
        file = credentials(trial.stand.paths).folder / "broker-gateway"
        right = file.read_text(encoding="ascii")
        await trial.stand.gateway.stop()
        file.write_text("wrong", encoding="ascii")
        starting = asyncio.create_task(trial.stand.start_gateway(), name="start-of-the-gateway")
        states: dict[str, str] = {}

        async def seen() -> bool:
            with contextlib.suppress(Exception):
                states.update(await asyncio.to_thread(adapters, trial))
            return states.get("ami") == "READY" and states.get("broker") not in {None, "STARTING", "READY"}

        await until(seen, "the broker's refusal is shown", 30)
        callers = await trial.call(30, 5)
        await trial.finished(callers, _DEADLINE_S)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        file.write_text(right, encoding="ascii")
        await trial.stand.gateway.stop()
        took = await trial.timed_gateway_start()
        verdict = await end(trial, callers)
        verdict.counts |= {"shown meanwhile": states["broker"], "right again: started → ready, s": round(took, 2)}
        return verdict


async def second_daemon() -> Verdict:
    """Another daemon is started on the same state folder: it goes away with a reason, the first one does not notice."""
    async with Trial() as trial:
        callers = await trial.call(30, 5)
        await asyncio.sleep(2)
        second = Child(
            "second",
            [sys.executable, "-m", "gateway.app", "run"],
            log=trial.folder / "second.log",
            env=trial.stand.environment,
        )
        began = time.monotonic()
        await second.start()
        code = await second.wait(30)
        took = time.monotonic() - began
        verdict = await end(trial, callers)
        verdict.check(code not in {0, -signal.SIGKILL}, f"the second daemon ended with {code}")
        said = second.log.read_text(encoding="utf-8").strip().splitlines()
        verdict.counts |= {"exit code": code, "after, s": round(took, 2), "it said": " | ".join(said[-2:])}
        return verdict


async def database_dies() -> Verdict:
    """PostgreSQL as the store is killed (SIGQUIT: no checkpoint) for 5 s while calls come in."""
    cluster = await asyncio.to_thread(PostgresCluster)
    try:
        password = cluster.folder / "store-password"
        password.touch(mode=0o600)
        password.write_text(cluster.password, encoding="utf-8")
        overrides = {"STORE__URL": f'"{cluster.new_database()}"', "STORE__PASSWORD__FILE": f'"{password}"'}
        async with Trial(**overrides) as trial:
            callers = await trial.call(80, 8)
            await asyncio.sleep(3)
            cluster.stop(signal.SIGQUIT)
            await asyncio.sleep(5)
            cluster.start()
            took = await until_ready(trial)
            verdict = await end(trial, callers)
            verdict.counts["database back → ready, s"] = took
            return verdict
    finally:
        cluster.remove()


async def disk_full() -> Verdict:
    """The disk under the store and the recordings is full for 8 s while calls come in (a tmpfs of 96 MiB)."""
    if "TRUNKLINE_TRIAL_DISK" not in os.environ:
        return await asyncio.to_thread(_in_namespace)
    async with Trial(parent=Path(os.environ["TRUNKLINE_TRIAL_DISK"]), STORE__MIN_FREE_MB="8") as trial:
        callers = await trial.call(80, 8)
        await asyncio.sleep(3)
        filler = trial.folder / "filler"
        written = await asyncio.to_thread(_fill, filler)
        await asyncio.sleep(8)
        states = await asyncio.to_thread(adapters, trial)
        filler.unlink()
        took = await until_ready(trial)
        verdict = await end(trial, callers)
        verdict.counts |= {"filled, MiB": written >> 20, "space again → ready, s": took}
        verdict.counts["while full"] = {name: state for name, state in states.items() if state != "READY"}
        return verdict


def _fill(path: Path) -> int:
    written = 0
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            written += file.write(secrets.token_bytes(1 << 16))
    return written


def _in_namespace() -> Verdict:
    folder = tempfile.mkdtemp(prefix="tl-d", dir="/tmp")
    script = 'mount -t tmpfs -o size=96m,mode=0755 tmpfs "$1" && shift && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", folder]
    done = subprocess.run(
        [*command, sys.executable, "-m", "tests.acceptance.run", "disk_full"],
        env=os.environ | {"TRUNKLINE_TRIAL_DISK": folder},
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S * 2,
        check=False,
    )
    shutil.rmtree(folder)
    verdict = Verdict()
    verdict.counts["in a file system of its own"] = done.stdout
    verdict.check(done.returncode == 0, f"ended with {done.returncode}: {done.stderr[-2000:]}")
    return verdict


SMALL: dict[str, Callable[[], Awaitable[Verdict]]] = {
    each.__name__: each
    for each in (
        replay,
        ami_session,
        fastagi_garbage,
        asterisk_late,
        wrong_credentials,
        second_daemon,
        database_dies,
        disk_full,
    )
}
