"""A switchboard for a test: real store, AMI, FastAGI and CEL, everything of the gateway that a call meets."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec

from config.settings import Settings
from gateway.app.paths import StatePaths
from gateway.app.switchboard import SwitchboardParts, build_switchboard
from gateway.asterisk.options import AmiOptions, CelOptions, FastAgiOptions
from gateway.core.board import Board
from gateway.core.clock import SystemClock
from gateway.core.options import Secret
from gateway.core.supervisor import State, Supervisor
from gateway.directory.numbers import Numbering
from gateway.directory.options import NumberingOptions
from gateway.directory.service import DirectoryService
from gateway.principals.audit import AuditTrail
from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore
from gateway.store.unit import Base
from tests.support.asterisk import NUMBERS, AsteriskStand
from tests.support.wait import until
from trunks.telephone.options import LineOptions, TelephoneOptions

LINES = tuple(LineOptions(name=f"line-{n}", numbers=(number,), priority=n) for n, number in enumerate(NUMBERS, 1))


@dataclass
class Running:
    """The gateway's side of a stand."""

    telephone: SwitchboardParts
    store: SqlStore
    board: Board
    directory: DirectoryService
    supervisor: Supervisor

    async def events(self, prefix: str = "tel.") -> list[dict[str, Any]]:
        """Every event of the journal whose type begins with *prefix*, as consumers read it."""
        stored = await self.store.events_after(0, limit=5000)
        decoded = [msgspec.json.decode(event.payload) for event in stored]
        return [event for event in decoded if event["type"].startswith(prefix)]

    async def told(self, kind: str, count: int = 1, deadline_s: float = 15.0) -> list[dict[str, Any]]:
        """Wait for *count* durable events of type ``tel.<kind>.v1`` and return them."""
        found: list[dict[str, Any]] = []

        async def enough() -> bool:
            found[:] = await self.events(f"tel.{kind}.v")
            return len(found) >= count

        await until(enough, f"{count} × {kind}", deadline_s)
        return found

    async def ready(self) -> None:
        """Wait until Asterisk is in sight."""
        await until(lambda: self._state("ami") is State.READY, "AMI")

    def _state(self, name: str) -> State:
        return next(health.state for health in self.supervisor.health() if health.name == name)


@contextlib.asynccontextmanager
async def switchboard(stand: AsteriskStand, **changes: Any) -> AsyncIterator[Running]:
    """Run the gateway's side beside *stand*; *changes* are fields of the telephone's options."""
    clock, board = SystemClock(), Board()
    folder = stand.folder / "gateway"
    paths = StatePaths(folder)
    paths.create()
    secret = folder / "ami-secret"
    secret.write_text(stand.plan.ami_secret, encoding="utf-8")
    store = SqlStore(StoreOptions(), folder=folder, site="test", prepare=Base.metadata.create_all)
    await store.open()
    supervisor = Supervisor(clock)
    try:
        directory = DirectoryService(store, Numbering(NumberingOptions()), clock, AuditTrail(store))
        await directory.load()
        options = (
            TelephoneOptions(**({"lines": LINES} | changes)),
            NumberingOptions(),
            AmiOptions(port=stand.plan.ami_port, user=stand.plan.ami_user, secret=Secret(file=str(secret))),
            FastAgiOptions(port=stand.plan.fastagi_port),
            CelOptions(path=str(stand.child.cel)),
        )
        telephone = await build_switchboard(
            Settings({type(each): each for each in options}),
            paths,
            store=store,
            board=board,
            clock=clock,
            directory=directory,
            numbering=Numbering(NumberingOptions()),
        )
        for adapter in telephone.adapters:
            supervisor.start(adapter)
        yield Running(telephone, store, board, directory, supervisor)
    finally:
        await supervisor.stop()
        await store.close()
