"""FastAGI on a real Asterisk: this gateway, panoramisk, a mended pyst2, and the same dialplan without AGI.

    python benchmarks/fastagi_sessions.py [--calls 1500] [--seconds 8]

Each server is a process of its own that answers every session with the same five commands ("own, together" sets the
four variables in one exchange); the dialplan without AGI sets the same variables itself. Calls are Local channels
originated by a driver process over AMI, in two ways, the servers taking turns in short rounds:

- full: 16 calls at a time, as many as go. Sessions per second, and the time from Originate to the call's end.
- 50 calls per second: the time from Originate until the dialplan has answered, which is what a caller waits.

Needs requirements/bench.txt and an Asterisk (``make setup``, or TRUNKLINE_ASTERISK_ROOT); takes about two minutes.
"""

import argparse
import asyncio
import contextlib
import logging
import socketserver
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

VARIABLES = {
    "TL_CALL": "01jd3v8x",
    "TL_TREATMENT": "ring",
    "TL_PHONES": "PJSIP/101&PJSIP/102",
    "TL_RING_S": "30",
}
AT_A_TIME = 16
RATE = 50
ROUNDS = 12


# the servers, each in a process of its own


async def own(*, together: bool = False) -> None:
    from gateway.asterisk.fastagi import FastAgiServer
    from gateway.asterisk.fastagi_session import AgiSession
    from gateway.asterisk.options import FastAgiOptions
    from gateway.core.clock import SystemClock

    async def handle(session: AgiSession) -> None:
        if together:
            await session.set_variables(VARIABLES)
        else:
            for name, value in VARIABLES.items():
                await session.set_variable(name, value)
        assert await session.get_variable("TL_CALL") == VARIABLES["TL_CALL"]

    server = FastAgiServer(FastAgiOptions(port=0), SystemClock(), {"bench": handle})
    reporter = type("Reporter", (), {"ready": lambda _: print(server.port, flush=True)})()
    await server.run(reporter)


async def panoramisk() -> None:
    from panoramisk.fast_agi import Application

    async def handle(request) -> None:
        for name, value in VARIABLES.items():
            await request.send_command(f'SET VARIABLE {name} "{value}"')
        answer = await request.send_command("GET VARIABLE TL_CALL")
        assert answer["result"] == ("1", VARIABLES["TL_CALL"]), answer

    application = Application(loop=asyncio.get_running_loop())
    application.add_route("bench", handle)
    server = await asyncio.start_server(application.handler, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def pyst2() -> None:
    from asterisk.agi import AGI

    class Quiet:
        def write(self, _: str) -> None:
            pass

    class Session(AGI):
        """Mended: no signal handler, no trace of every line."""

        def __init__(self, stdin, stdout) -> None:
            self.stdin, self.stdout, self.stderr = stdin, stdout, Quiet()
            self._got_sighup = False
            self.env = {}
            self._get_agi_env()

        def send_command(self, command, *words) -> None:
            self.stdout.write((" ".join([command.strip(), *map(str, words)]).strip() + "\n").encode())

    class Handler(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            session = Session(self.rfile, self.wfile)
            for name, value in VARIABLES.items():
                session.set_variable(name, value)
            assert session.get_variable("TL_CALL") == VARIABLES["TL_CALL"]

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 512

    with Server(("127.0.0.1", 0), Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


def serve(name: str) -> None:
    logging.disable(logging.INFO)
    if name == "pyst2":
        pyst2()
    elif name == "own on uvloop":
        import uvloop

        uvloop.run(own())
    elif name == "panoramisk":
        asyncio.run(panoramisk())
    else:
        asyncio.run(own(together=name == "own, together"))


# the driver


@dataclass
class Calls:
    """One measurement: when each call was asked for, answered, ended."""

    answered: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    took: float = 0.0
    cpu: float = 0.0


class Driver:
    def __init__(self, client) -> None:
        self.client = client
        self.count = 0
        self.waiting: dict[str, tuple[float, asyncio.Future[float]]] = {}
        self.calls = Calls()
        client.subscribe("Newstate", handler=self.on_state)
        client.subscribe("Hangup", handler=self.on_hangup)

    def on_state(self, event) -> None:
        call = self.waiting.get(event.get("Uniqueid"))
        if call is not None and event.get("ChannelStateDesc") == "Up":
            self.calls.answered.append(time.perf_counter() - call[0])

    def on_hangup(self, event) -> None:
        call = self.waiting.pop(event.get("Uniqueid"), None)
        if call is not None:
            call[1].set_result(time.perf_counter() - call[0])

    async def call(self, extension: str, port: int) -> None:
        self.count += 1
        ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.waiting[f"b-{self.count}-2"] = (time.perf_counter(), ended)
        await self.client.action(
            "Originate",
            Async="true",
            Channel=f"Local/{extension}@tl-test/n",
            ChannelId=f"b-{self.count}-1",
            OtherChannelId=f"b-{self.count}-2",
            Context="tl-test",
            Exten="hold",
            Priority="1",
            Variable=f"TL_PORT={port}",
        )
        self.calls.ended.append(await asyncio.wait_for(ended, 30))

    async def full(self, extension: str, port: int, calls: int) -> Calls:
        self.calls = Calls()
        left = iter(range(calls))

        async def one_after_another() -> None:
            for _ in left:
                await self.call(extension, port)

        start = time.perf_counter()
        await asyncio.gather(*(one_after_another() for _ in range(AT_A_TIME)))
        self.calls.took = time.perf_counter() - start
        return self.calls

    async def paced(self, extension: str, port: int, seconds: int) -> Calls:
        self.calls = Calls()
        tasks = []
        start = time.perf_counter()
        for number in range(RATE * seconds):
            await asyncio.sleep(max(0.0, start + number / RATE - time.perf_counter()))
            tasks.append(asyncio.create_task(self.call(extension, port)))
        await asyncio.gather(*tasks)
        return self.calls


def ms(values: list[float], percent: int) -> float:
    return 1000 * statistics.quantiles(values, n=100)[percent - 1]


async def drive(servers: dict[str, int], pids: dict[str, int], calls: int, seconds: int) -> None:
    import psutil

    from gateway.asterisk.ami import AmiClient
    from gateway.asterisk.options import AmiOptions
    from gateway.core.clock import SystemClock
    from gateway.core.options import Secret
    from tests.support.bare_asterisk import SECRET, USER, bare_asterisk

    full: dict[str, list[Calls]] = {name: [] for name in servers}
    paced: dict[str, list[Calls]] = {name: [] for name in servers}
    with bare_asterisk() as asterisk, tempfile.NamedTemporaryFile("w") as secret:
        secret.write(SECRET)
        secret.flush()
        options = AmiOptions(port=asterisk.ami_port, user=USER, secret=Secret(file=secret.name))
        client, up = AmiClient(options, SystemClock()), asyncio.Event()
        driver = Driver(client)
        reporter = type("Reporter", (), {"ready": lambda _: up.set()})()
        task = asyncio.create_task(client.run(reporter))
        await asyncio.wait_for(up.wait(), 10)
        for number in range(ROUNDS + 1):
            for name, port in servers.items():
                extension = "bench" if port else "plain"
                if number == 0:  # warms everything up
                    await driver.full(extension, port, 100)
                    continue
                before = psutil.Process(pids[name]).cpu_times() if port else (0, 0)
                full[name].append(await driver.full(extension, port, calls // ROUNDS))
                after = psutil.Process(pids[name]).cpu_times() if port else (0, 0)
                full[name][-1].cpu = sum(after[:2]) - sum(before[:2])
                paced[name].append(await driver.paced(extension, port, max(1, seconds // ROUNDS)))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    print(f"{calls} calls, {AT_A_TIME} at a time, from Originate to the end; {ROUNDS} rounds, median")
    for name, results in full.items():
        rate = statistics.median(len(result.ended) / result.took for result in results)
        p50, p99 = (statistics.median(ms(result.ended, percent) for result in results) for percent in (50, 99))
        cpu_us = 1e6 * sum(result.cpu for result in results) / sum(len(result.ended) for result in results)
        figures = (
            f"{rate:7.0f} calls/s   p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   server's CPU {cpu_us:4.0f} us a session"
        )
        print(f"  {name:14} {figures}")
    print(f"{RATE} calls per second, from Originate until answered by the dialplan")
    base = [time_s for result in paced["without AGI"] for time_s in result.answered]
    for name, results in paced.items():
        times = [time_s for result in results for time_s in result.answered]
        more = ms(times, 50) - ms(base, 50)
        print(
            f"  {name:14} p50 {ms(times, 50):6.2f} ms   p99 {ms(times, 99):6.2f} ms   AGI adds {more:+5.2f} ms at p50"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=3600)
    parser.add_argument("--seconds", type=int, default=12)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        return serve(given.serve)
    names = ["own", "panoramisk", "pyst2", "own, together"]
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: F401  # compared when it happens to be there; not a dependency

        names.append("own on uvloop")
    processes: list[subprocess.Popen[str]] = []
    pids = {}
    try:
        servers = {"without AGI": 0}
        for name in names:
            process = subprocess.Popen([sys.executable, __file__, "--serve", name], stdout=subprocess.PIPE, text=True)
            processes.append(process)
            assert process.stdout is not None
            servers[name] = int(process.stdout.readline())
            pids[name] = process.pid
        asyncio.run(drive(servers, pids, given.calls, given.seconds))
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return None


if __name__ == "__main__":
    main()
