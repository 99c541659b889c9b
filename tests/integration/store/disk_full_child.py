"""Runs on a disk of 4 MB, fills it, and tells in one line of JSON what the store did."""

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path

import structlog

from gateway.core.clock import ManualClock
from gateway.core.events import Happening
from gateway.store.errors import StoreError
from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore
from gateway.store.unit import Base, Unit
from tests.support.ledger import Position, assert_whole, enter, entries


def _position(unit: Unit) -> None:
    unit.emit(Happening(event=Position(entry="radio"), resource="group-1", aggregate="radio:1"))


def _fill(folder: Path, name: str, leave: int = 0) -> None:
    status = os.statvfs(folder)
    with contextlib.suppress(OSError), (folder / name).open("wb", buffering=0) as file:
        for _ in range(max(0, status.f_bavail - leave // status.f_frsize)):
            file.write(bytes(status.f_frsize))


async def _enter(store: SqlStore, name: str, size: int = 10) -> str:
    try:
        await store.write(enter(name, note="x" * size), name="enter")
    except StoreError as error:
        return error.code
    return "ok"


async def main(folder: Path) -> None:
    told: dict[str, object] = {}
    clock = ManualClock()
    store = SqlStore(
        StoreOptions(min_free_mb=1, reserve_mb=1),
        folder=folder / "state",
        site="duty",
        clock=clock,
        prepare=Base.metadata.create_all,
        sheddable={Position.TYPE},
    )
    await store.open()
    told["telemetry_before"] = await _telemetry(store)
    _fill(folder, "others", leave=500_000)
    told["telemetry_when_short"] = await _telemetry(store)
    told["shed_events"] = store.counters.shed_events
    _fill(folder, "others-2")
    told["free_when_filled"] = store.health().free_bytes
    # The write-ahead log grows beyond what it has reserved before.
    told["call_from_the_reserve"] = await _enter(store, "big", 300_000)
    outcomes = [await _enter(store, f"more-{n}", 100_000) for n in range(40)]
    told["at_last"] = outcomes[-1]
    told["reading_goes_on"] = "big" in await entries(store)
    (folder / "others").unlink()
    (folder / "others-2").unlink()
    await clock.advance(60)
    told["after"] = await _enter(store, "after")
    told["reserve_kept_again"] = (folder / "state" / "trunkline.reserve").exists()
    told["entered"] = len(await entries(store))
    told["whole"] = await _whole(store)
    await store.close()
    sys.stdout.write(json.dumps(told) + "\n")


async def _telemetry(store: SqlStore) -> int:
    before = store.last_seq
    await store.write(_position, name="position")
    return store.last_seq - before


async def _whole(store: SqlStore) -> bool:
    try:
        await assert_whole(store)
    except AssertionError as error:
        sys.stderr.write(f"{error}\n")
        return False
    return True


structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
asyncio.run(main(Path(sys.argv[1])))
