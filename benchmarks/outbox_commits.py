"""How many units of work (a row and its event) become durable a second, with and without group commit.

``python benchmarks/outbox_commits.py [--seconds 3] [--folder DIR]`` takes about 40 seconds: SQLite at synchronous=FULL,
and a PostgreSQL 15 of its own with fsync on, both below ``--folder`` (which must be on a real disk, not on a tmpfs).
Each pair is measured in turns in one run, so that the ratio stands on any machine. Latency is from ``write()`` to its
return.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gateway.core.options import Secret
from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore
from gateway.store.unit import Base
from tests.support.ledger import enter
from tests.support.postgres import PostgresCluster

IN_FLIGHT = 128
TURNS = 2
PACED_PER_S = 200


@dataclass
class Cell:
    database: str
    how: str
    options: StoreOptions
    paced: bool = False
    rates: list[float] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)
    units_per_commit: float = 0.0

    def percentile(self, percent: int) -> float:
        return statistics.quantiles(self.latencies_ms, n=100)[percent - 1]


async def measure(cell: Cell, folder: Path, seconds: float) -> None:
    store = SqlStore(cell.options, folder=folder, site="bench", prepare=Base.metadata.create_all)
    await store.open()
    counters = store.counters
    number = 0
    note = "x" * 200
    run = f"{store.epoch}"

    async def one() -> None:
        nonlocal number
        number += 1
        started = time.perf_counter()
        await store.write(enter(f"{run}-{number}", aggregate=f"call:{run}-{number // 10}", note=note), name="bench")
        cell.latencies_ms.append((time.perf_counter() - started) * 1000)

    async def closed_loop(end: float) -> None:
        while time.perf_counter() < end:
            await one()

    await asyncio.gather(*[one() for _ in range(IN_FLIGHT)])  # statements are compiled, pages are cached
    del cell.latencies_ms[-IN_FLIGHT:]
    units, commits, number = counters.units, counters.commits, 0
    run += "-warm"
    started = time.perf_counter()
    end = started + seconds
    async with asyncio.TaskGroup() as group:
        if cell.paced:
            while (now := time.perf_counter()) < end:
                group.create_task(one())
                await asyncio.sleep(max(0.0, started + number / PACED_PER_S - now))
        else:
            for _ in range(IN_FLIGHT):
                group.create_task(closed_loop(end))
    cell.rates.append((counters.units - units) / (time.perf_counter() - started))
    cell.units_per_commit = (counters.units - units) / (counters.commits - commits)
    await store.close()


def fsync_ms(folder: Path) -> float:
    took = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(50):
            file.write(bytes(4096))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)


def table(cells: list[Cell]) -> None:
    print(f"{'database':<12}{'commit':<22}{'units/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'units/commit':>14}{'ratio':>8}")
    for cell in cells:
        rate = statistics.mean(cell.rates)
        alone = next(other for other in cells if other.database == cell.database and other.how == "each alone")
        ratio = "" if cell.paced else f"{rate / statistics.mean(alone.rates):.1f}x"
        print(
            f"{cell.database:<12}{cell.how:<22}{rate:>9.0f}{cell.percentile(50):>9.2f}{cell.percentile(99):>9.2f}"
            f"{cell.units_per_commit:>14.1f}{ratio:>8}"
        )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=3.0, help="how long each of the turns takes")
    arguments.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    chosen = arguments.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    cluster = PostgresCluster(chosen.folder)
    try:
        with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
            folder = Path(name)
            secret = folder / "password"
            secret.write_text(cluster.password)
            postgres = {"url": cluster.new_database(), "password": Secret(file=str(secret))}
            cells = [
                cell
                for database, where in (("SQLite", {}), ("PostgreSQL", postgres))
                for cell in (
                    Cell(database, "each alone", StoreOptions(group_units=1, **where)),
                    Cell(database, "in groups", StoreOptions(**where)),
                    Cell(database, f"in groups, {PACED_PER_S}/s", StoreOptions(**where), paced=True),
                )
            ]
            print(f"one fdatasync of 4 KiB: {fsync_ms(folder):.2f} ms (median); {IN_FLIGHT} units in flight")
            for _ in range(TURNS):
                for cell in cells:
                    asyncio.run(measure(cell, folder / cell.database, chosen.seconds))
            table(cells)
    finally:
        cluster.remove()


if __name__ == "__main__":
    main()
