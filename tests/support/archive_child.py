"""Puts documents in and deletes them until it is killed; says on its output what has been promised."""

import asyncio
import sys
from pathlib import Path

from gateway.archive.folder import Folder
from gateway.archive.options import ArchiveOptions
from gateway.archive.service import ArchiveService
from gateway.core.clock import SystemClock
from gateway.principals.audit import AuditTrail
from gateway.principals.model import SYSTEM
from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore
from gateway.store.unit import Base


class NoAlarms:
    def report(self, condition):
        pass

    def clear(self, key):
        pass


def service_in(folder, alarms=None, **options):
    clock = SystemClock()
    store = SqlStore(StoreOptions(), folder=folder, site="t", clock=clock, prepare=Base.metadata.create_all)
    files = Folder(folder / "archive", max_bytes=1 << 26, reserve_bytes=0)
    service = ArchiveService(
        store=store,
        folder=files,
        clock=clock,
        audit=AuditTrail(store),
        alarms=alarms or NoAlarms(),
        options=ArchiveOptions(**options),
    )
    return store, files, service


async def main(folder):
    store, _, service = service_in(folder)
    await store.open()
    await service.start()

    async def work(number):
        for turn in range(100_000):
            content = f"{number}-{turn // 2}".encode() * 5000  # every second content is there already
            document = await service.add(
                content, kind="fax", media_type="image/tiff", name="传真.tif", principal=SYSTEM
            )
            print("kept", document.id, flush=True)  # noqa: T201  # the parent reads it
            if turn % 3 == 0:
                print("deleting", document.id, flush=True)  # noqa: T201  # the parent reads it
                await service.delete(document.id, principal=SYSTEM, why="test")

    await asyncio.gather(*(work(number) for number in range(4)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
