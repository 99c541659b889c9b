"""What alarms have still to write: kept in memory while the store is down, written in one unit when it is back."""

import asyncio
import contextvars
from collections import deque

import structlog

from gateway.alarms import repository
from gateway.alarms.rules import Alarm
from gateway.core.causation import attributed
from gateway.core.errors import Kind, TrunklineError
from gateway.core.events import Happening
from gateway.store.unit import Store, Unit

log = structlog.get_logger(__name__)

PENDING_MAX = 20_000


class AlarmJournal:
    """Collects changed alarms and their events, and writes them together.

    Only the latest state of an alarm is written; every event is, in order, up to ``PENDING_MAX`` while the store is
    down. What is beyond is counted in ``untold`` (the rows still tell the truth).
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: dict[str, Alarm] = {}
        self._happenings: deque[Happening] = deque()
        self._doubtful: tuple[tuple[Alarm, ...], int] = ((), 0)
        self._writing: asyncio.Task[bool] | None = None
        self.down = False
        self.untold = 0

    @property
    def unsaved(self) -> int:
        """How many alarms are not on disk as they are now."""
        return len(self._rows)

    def keep(self, alarm: Alarm) -> None:
        """Note that *alarm* is to be written as it is now."""
        self._rows[alarm.id] = alarm

    def tell(self, happening: Happening) -> None:
        """Note an event to be told."""
        if len(self._happenings) >= PENDING_MAX:
            self.untold += 1
            return
        self._happenings.append(attributed(happening))

    async def flush(self) -> bool:
        """Write what is to be written; return whether all of it is durable now.

        Many callers share one write. Cancelling the wait does not end the write.
        """
        while self._rows or self._happenings:
            if self._writing is None or self._writing.done():
                # In a context of its own: what others told must not be put down to the command that writes it.
                empty = contextvars.Context()
                self._writing = asyncio.create_task(self._write(), name="alarms-write", context=empty)
            if not await asyncio.shield(self._writing):
                return False
        return True

    async def _write(self) -> bool:
        rows = dict(self._rows)
        happenings = tuple(self._happenings)
        doubtful, in_doubt = self._doubtful

        def work(unit: Unit) -> None:
            # The write before this one may have been done: then its events have been told.
            done = bool(doubtful) and all(repository.find(unit.connection, row.id) == row for row in doubtful)
            repository.put(unit.connection, rows.values())
            for happening in happenings[in_doubt if done else 0 :]:
                unit.emit(happening)

        try:
            await self._store.write(work, name="alarms")
        except TrunklineError as error:
            if error.kind is Kind.UNKNOWN_OUTCOME:
                self._doubtful = (tuple(rows.values()), len(happenings))
            elif error.kind is not Kind.UNAVAILABLE:
                raise
            if not self.down:
                log.warning("alarms cannot be written", error=error.code, alarms=len(rows), events=len(happenings))
            self.down = True
            return False
        self._written(rows, len(happenings))
        return True

    def _written(self, rows: dict[str, Alarm], told: int) -> None:
        self._doubtful = ((), 0)
        for name, row in rows.items():
            if self._rows.get(name) is row:
                del self._rows[name]
        for _ in range(told):
            self._happenings.popleft()
        if self.down:
            log.info("alarms written again", alarms=len(rows), events=told, untold=self.untold)
        self.down = False
