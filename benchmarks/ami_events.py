"""AMI events per second with full dispatch: this gateway, panoramisk and pyst2, fed the same recorded bytes.

    python benchmarks/ami_events.py

A separate process plays Asterisk: it accepts the login and, when told, writes a recorded stream of a call again and
again as fast as it is read. Each client reads three headers of every event in a handler. Needs requirements/bench.txt;
takes about 30 s.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

RECORDED = Path(__file__).parent.parent / "tests/data/ami/call_through_fastagi"
HEADERS = ("Uniqueid", "Linkedid", "Channel")
ROUNDS = 3


def stream() -> tuple[bytes, int]:
    """The events of one recorded call and how many they are."""
    blocks = RECORDED.read_bytes().split(b"\r\n\r\n")
    events = [block for block in blocks if block.startswith(b"Event: ") and b"FullyBooted" not in block]
    return b"\r\n\r\n".join([*events, b""]), len(events)


def play(connection: socket.socket) -> None:
    call, count = stream()
    reader = connection.makefile("rb")
    connection.sendall(b"Asterisk Call Manager/11.0.0\r\n")
    action: dict[str, str] = {}
    for line in reader:
        name, _, value = line.decode().strip().partition(": ")
        action[name] = value
        if name:
            continue
        answer = f"Response: Success\r\nActionID: {action.get('ActionID', '')}\r\nMessage: ok\r\n\r\n"
        if action.get("Action") == "Login":
            answer += "Event: FullyBooted\r\nPrivilege: system,all\r\n\r\n"
        connection.sendall(answer.encode())
        if action.get("Action") == "Flood":
            copies = -(-int(action["Count"]) // count)
            block = call * 50
            for _ in range(copies // 50):
                connection.sendall(block)
            connection.sendall(call * (copies % 50) + b"Event: FloodDone\r\nPrivilege: system,all\r\n\r\n")
        action = {}


def server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_play_quietly, args=(connection,), daemon=True).start()


def _play_quietly(connection: socket.socket) -> None:
    with contextlib.suppress(OSError), connection:
        play(connection)


class Count:
    """What every client does with an event."""

    def __init__(self) -> None:
        self.events = 0
        self.seen = 0

    def __call__(self, get) -> None:
        self.events += 1
        for name in HEADERS:
            self.seen += bool(get(name, ""))


async def own(port: int, events: int) -> tuple[int, float]:
    from gateway.asterisk.ami import AmiClient
    from gateway.asterisk.options import AmiOptions
    from gateway.core.clock import SystemClock
    from gateway.core.options import Secret

    names = {match.decode() for match in re.findall(rb"^Event: (\S+)\r$", RECORDED.read_bytes(), re.MULTILINE)}
    with tempfile.NamedTemporaryFile("w") as secret:
        secret.write("secret")
        secret.flush()
        client = AmiClient(AmiOptions(port=port, secret=Secret(file=secret.name), challenge=False), SystemClock())
        count, done, up = Count(), asyncio.Event(), asyncio.Event()
        for name in sorted(names - {"FullyBooted"}):
            client.subscribe(name, handler=lambda event: count(event.get))
        client.subscribe("FloodDone", handler=lambda _: done.set())
        reporter = type("Reporter", (), {"ready": lambda _: up.set(), "degraded": lambda *_: None})()
        task = asyncio.create_task(client.run(reporter))
        await asyncio.wait_for(up.wait(), 10)
        start = time.perf_counter()
        await client.action("Flood", Count=str(events))
        await asyncio.wait_for(done.wait(), 60)
        took = time.perf_counter() - start
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return count.events, took


async def panoramisk(port: int, events: int) -> tuple[int, float]:
    import panoramisk as library

    manager = library.Manager(
        loop=asyncio.get_running_loop(),
        host="127.0.0.1",
        port=port,
        username="x",
        secret="y",  # noqa: S106
    )
    count, done = Count(), asyncio.Event()

    def on_event(_, event) -> None:
        if event.event == "FloodDone":
            done.set()
        elif event.event != "FullyBooted":
            # its messages answer attribute names in any case; get() is a dictionary's
            count(event.get)

    manager.register_event("*", on_event)
    await manager.connect()
    while not manager.authenticated:  # noqa: ASYNC110  # it has no event for it
        await asyncio.sleep(0.01)
    start = time.perf_counter()
    manager.send_action({"Action": "Flood", "Count": str(events)})
    await asyncio.wait_for(done.wait(), 60)
    took = time.perf_counter() - start
    manager.close()
    return count.events, took


def pyst2(port: int, events: int) -> tuple[int, float]:
    warnings.simplefilter("ignore")
    import asterisk.manager

    manager = asterisk.manager.Manager()
    count, done = Count(), threading.Event()

    def on_event(event, _) -> None:
        if event.name == "FloodDone":
            done.set()
        elif event.name != "FullyBooted":
            count(event.get_header)

    manager.register_event("*", on_event)
    manager.connect("127.0.0.1", port)
    manager.login("x", "y")
    start = time.perf_counter()
    manager.send_action({"Action": "Flood", "Count": str(events)})
    done.wait(60)
    return count.events, time.perf_counter() - start


def measure(name: str, port: int, events: int) -> None:
    """Run one client once, in this process, and print events and seconds."""
    logging.disable(logging.CRITICAL)
    if name == "pyst2":
        result = pyst2(port, events)
    elif name == "panoramisk":
        result = asyncio.run(panoramisk(port, events))
    elif name == "own on uvloop":
        import uvloop

        result = uvloop.run(own(port, events))
    else:
        result = asyncio.run(own(port, events))
    print(*result, flush=True)
    os._exit(0)  # pyst2's threads do not end


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--server", action="store_true", help=argparse.SUPPRESS)
    arguments.add_argument("--client", nargs=3, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.server:
        return server()
    if given.client:
        return measure(given.client[0], int(given.client[1]), int(given.client[2]))
    me = [sys.executable, __file__]
    sizes = {"own": 60_000, "panoramisk": 20_000, "pyst2": 2_000}
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: F401  # compared when it happens to be there; not a dependency

        sizes["own on uvloop"] = 60_000
    rates: dict[str, list[float]] = {name: [] for name in sizes}
    _, per_call = stream()
    process = subprocess.Popen([*me, "--server"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        for _ in range(ROUNDS):
            for name, events in sizes.items():
                command = [*me, "--client", name, port, str(events)]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=120)
                count, took = done.stdout.splitlines()[-1].split()
                expected = -(-events // per_call) * per_call
                if int(count) != expected:
                    print(f"{name}: {count} of {expected} events arrived")
                rates[name].append(int(count) / float(took))
    finally:
        process.kill()
        process.wait()
    print(f"AMI events per second, median of {ROUNDS} ({per_call} events per recorded call, 3 headers read of each)")
    best = statistics.median(rates["own"])
    for name, values in rates.items():
        rate = statistics.median(values)
        print(f"  {name:14} {rate:9,.0f}/s   ours is {best / rate:6.1f} times as fast")
    return None


if __name__ == "__main__":
    main()
