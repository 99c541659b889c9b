"""Writes without end, prints the name of every unit that it was told to be durable, and waits to be killed."""

import asyncio
import sys
from pathlib import Path

import msgspec
import structlog

from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore
from gateway.store.unit import Base, Unit
from tests.support.ledger import enter


def _fails(unit: Unit) -> None:
    enter("never", events=3)(unit)
    raise KeyError


async def _write(store: SqlStore, run: str, lane: int) -> None:
    for number in range(1_000_000):
        name = f"{run}-{lane}-{number}"
        if number % 5 == 4:
            try:
                await store.write(_fails, name="fails")
            except KeyError:
                continue
        await store.write(enter(name, events=number % 3, aggregate=f"call:{lane}"), name="enter")
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()


async def main(folder: Path, options: StoreOptions, run: str) -> None:
    store = SqlStore(options, folder=folder, site="duty", prepare=Base.metadata.create_all)
    await store.open()
    async with asyncio.TaskGroup() as lanes:
        for lane in range(8):
            lanes.create_task(_write(store, run, lane), name=f"lane-{lane}")


structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
asyncio.run(main(Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=StoreOptions), sys.argv[3]))
