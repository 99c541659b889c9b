"""The demonstration around the stub gateway, as a program of its own that a test can kill."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from gateway.app.stand.asterisk import AsteriskChild, find_asterisk
from gateway.app.stand.broker import broker_child
from gateway.app.stand.demo import Demonstration, demo, demonstration_plan
from gateway.app.stand.ports import free_ports
from gateway.app.stand.processes import Child, accepts


async def main(folder: Path, run: Path) -> int:
    broker_port, fastagi_port = free_ports(2)
    (folder / "mosquitto.conf").write_text(f"user root\nlistener {broker_port} 127.0.0.1\nallow_anonymous true\n")
    events = folder / "events"
    events.touch()

    async def passing() -> AsyncIterator[Mapping[str, Any]]:
        with events.open(encoding="utf-8") as file:
            while True:
                line = file.readline()
                if line:
                    yield json.loads(line)
                else:
                    await asyncio.sleep(0.05)

    stub = [sys.executable, Path(__file__).parent / "stub_gateway.py", str(fastagi_port), events]
    return await demo(
        Demonstration(
            folder=folder / "demo",
            broker=broker_child(folder / "mosquitto.conf", folder / "mosquitto.log"),
            broker_ready=lambda: accepts("127.0.0.1", broker_port),
            asterisk=AsteriskChild(
                installation := find_asterisk(), demonstration_plan(folder, run, installation, fastagi_port)
            ),
            gateway=Child("gateway", stub, log=folder / "gateway.log"),
            gateway_ready=lambda: accepts("127.0.0.1", fastagi_port),
            events=passing,
            hint="now try this",
        ),
        lambda line: print(line, flush=True),  # noqa: T201 - the test reads it
    )


sys.exit(asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]))))
