"""A console in a process of its own, told what to show by JSON lines on standard input; prints its address."""

import asyncio
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import structlog

from gateway.core.events import Event, Message
from gateway.core.page import Page
from gateway.core.supervisor import Health, State
from gateway.core.text import Text
from gateway.web.options import WebOptions
from tests.fakes.web import Console, console

DEMONSTRATION = Page(
    "demonstration",
    Text("Demonstration", "演示"),
    Path(__file__).parent / "page" / "demonstration.js",
    "demonstration.svg",
)


def obey(running: Console, order: dict[str, Any]) -> None:
    match order:
        case {"show": [domain, resource], "state": state}:
            made = msgspec.defstruct("State", [(key, Any) for key in state], bases=(Message,), frozen=True)
            running.board.put(domain, resource, made(**state))
        case {"tell": event_type, "resource": resource, "data": data}:
            kind = type(
                "Told", (Event,), {"TYPE": event_type, "__annotations__": dict.fromkeys(data, Any)}, frozen=True
            )
            running.journal.tell(kind(**data), resource)
        case {"health": name, "state": state, "reason": reason}:
            running.healths[:] = [each for each in running.healths if each.name != name]
            running.healths.append(Health(name, State(state), datetime.now(UTC), reason))


async def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    reader = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    with tempfile.TemporaryDirectory(prefix="tl") as folder:
        options = WebOptions(port=0, stop_s=1.0)
        async with console(Path(folder), options, pages=[DEMONSTRATION]) as running:
            print(running.url, flush=True)  # noqa: T201
            while line := await reader.readline():
                obey(running, json.loads(line))


if __name__ == "__main__":
    asyncio.run(main())
