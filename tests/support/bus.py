"""A gateway's side of the bus for tests: a journal in memory, and the session with all its parts on any port."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from gateway.bus.connections import CurrentConnection
from gateway.bus.messages import Catalog, Info
from gateway.bus.port import BusPort, Delivery, Login
from gateway.bus.relay import OutboxRelay
from gateway.bus.retained import RetainedState
from gateway.bus.session import BusSession
from gateway.bus.topics import Topics
from gateway.core.board import Board
from gateway.core.clock import Clock, SystemClock
from gateway.core.errors import TrunklineError, UnavailableError
from gateway.core.events import Event, Happening, seal
from gateway.core.supervisor import Backoff, Supervisor
from gateway.store.unit import StoredEvent

DEADLINE_S = 15.0


class Rang(Event, frozen=True, kw_only=True):
    TYPE = "tel.rang.v1"
    number: int
    who: str = "单雄信 🚒"


async def until(condition: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110  # any condition, within a deadline
            await asyncio.sleep(0.005)


class MemoryJournal:
    """A journal without a database: same contract as the store's."""

    def __init__(self, *, deaf: bool = False) -> None:
        self.rows: list[StoredEvent] = []
        self.position = 0
        self.set_aside: dict[int, int] = {}
        self.failing = 0
        self.deaf = deaf
        self._listeners: list[Callable[[StoredEvent], None]] = []

    def tell(self, count: int = 1, *, who: str = "单雄信 🚒") -> None:
        for _ in range(count):
            seq = len(self.rows) + 1
            envelope = seal(
                Happening(event=Rang(number=seq, who=who), resource="line-1", aggregate="call:1"),
                site="duty",
                epoch=1,
                seq=seq,
                aggseq=seq,
                now=datetime(2026, 1, 1, tzinfo=UTC),
            )

            row = StoredEvent(seq, "tel", "line-1", "rang", msgspec.json.encode(envelope))
            self.rows.append(row)
            for listener in self._listeners:
                listener(row)

    async def relay_position(self) -> int:
        return self.position

    async def events_after(self, seq: int, *, limit: int = 500) -> Sequence[StoredEvent]:
        await asyncio.sleep(0)
        return self.rows[seq : seq + limit]

    async def oldest_seq(self) -> int:
        return 1 if self.rows else 0

    async def advance(self, seq: int) -> None:
        await asyncio.sleep(0)
        assert seq <= len(self.rows)
        self.position = max(self.position, seq)

    async def quarantine(self, seq: int, reason_code: int) -> None:
        if self.failing:
            self.failing -= 1
            raise UnavailableError(part="the store", reason="it was told to fail")
        self.set_aside[seq] = reason_code

    async def quarantined(self, after: int, *, limit: int = 256) -> Sequence[tuple[StoredEvent, int]]:
        chosen = [(self.rows[seq - 1], code) for seq, code in sorted(self.set_aside.items()) if seq > after]
        return chosen[:limit]

    async def release(self, seq: int) -> None:
        del self.set_aside[seq]

    def listen(self, listener: Callable[[StoredEvent], None]) -> Callable[[], None]:
        if self.deaf:
            return lambda: None
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)


class Commands:
    """A sink of commands that keeps what came."""

    def __init__(self) -> None:
        self.taken: list[Delivery] = []

    async def take(self, delivery: Delivery) -> None:
        self.taken.append(delivery)


@dataclass
class Side:
    session: CurrentConnection
    relay: OutboxRelay
    retained: RetainedState
    board: Board
    commands: Commands
    supervisor: Supervisor
    alarms: list[TrunklineError]
    topics: Topics


@contextlib.asynccontextmanager
async def gateway_side(
    port: BusPort,
    journal: MemoryJournal,
    *,
    user: str = "",
    password: str = "",
    clock: Clock | None = None,
    instance: str = "first",
    epoch: int = 1,
    heartbeat_s: float = 10.0,
    settle_s: float = 0.0,
    window: int = 16,
    board: Board | None = None,
) -> AsyncIterator[Side]:
    clock = clock or SystemClock()
    topics, board, commands = Topics("duty"), board or Board(), Commands()
    alarms: list[TrunklineError] = []
    supervisor = Supervisor(
        clock, backoff=Backoff(first_s=0.02, longest_s=0.1), on_change=lambda _: retained.note_health()
    )
    retained = RetainedState(
        topics,
        board,
        clock,
        Info(version="0", site="duty", epoch=epoch, instance=instance, started_at=clock.wall()),
        catalog=Catalog(contract="", events=(), commands=(), states=()),
        health=supervisor.health,
        heartbeat_s=heartbeat_s,
        deadline_s=5.0,
        on_alarm=alarms.append,
    )
    login = Login("trunkline", user, password, will=retained.will, session_expiry_s=60)
    current = CurrentConnection()
    session = BusSession(port, login, topics, retained, commands, current)
    relay = OutboxRelay(journal, current, topics, clock, window=window, settle_s=settle_s, on_alarm=alarms.append)
    supervisor.start(session)
    supervisor.start(relay)
    try:
        yield Side(current, relay, retained, board, commands, supervisor, alarms, topics)
    finally:
        await supervisor.stop()
        retained.close()
