"""CEL as the second witness: what nobody told in time is told from there, with its own time.

The file is followed with a delay, so that FastAGI and AMI tell first; a record of something known already changes
nothing. How far the file has been read is written down behind what was read, so nothing is skipped by a crash.
"""

import asyncio
from collections import deque
from datetime import timedelta

import msgspec

from gateway.asterisk.cel import CelPosition, CelReader, CelRecord
from gateway.core.clock import Clock
from gateway.core.supervisor import Reporter
from trunks.telephone.book import CallBook
from trunks.telephone.observe import CelObserver

_DELAY = timedelta(seconds=3)
_MOST_HELD = 10_000
_AT_A_TIME = 50


class CelFollower:
    """Feeds CEL into the book; an adapter named ``cel``. ``position`` is what :meth:`CallBook.load` returned."""

    name = "cel"

    def __init__(
        self,
        *,
        reader: CelReader,
        observer: CelObserver,
        book: CallBook,
        clock: Clock,
        interval_s: float = 0.5,
        position: str | None = None,
    ) -> None:
        self._reader = reader
        self._observer = observer
        self._book = book
        self._clock = clock
        self._interval_s = interval_s
        self._position = CelPosition() if position is None else msgspec.json.decode(position, type=CelPosition)
        self._held: deque[CelRecord | CelPosition] = deque()  # a position stands behind the records before it
        self._reading = asyncio.Lock()

    async def run(self, reporter: Reporter) -> None:
        """Follow the file until cancelled."""
        while True:
            async with self._reading:
                await self._fetch()
                await self._tell(everything=len(self._held) > _MOST_HELD)
            reporter.ready()
            await self._clock.sleep(self._interval_s)

    async def catch_up(self) -> None:
        """Take every record that is there, without delay."""
        async with self._reading:
            while await self._fetch():
                await self._tell(everything=True)
            await self._tell(everything=True)

    async def _fetch(self) -> bool:
        records, position = await self._reader.read(self._position)
        if position == self._position:
            return False
        self._position = position
        self._held += records
        self._held.append(position)
        return bool(records)

    async def _tell(self, *, everything: bool) -> None:
        before = self._clock.wall() - _DELAY
        taken = 0
        while self._held:
            taken += 1
            if taken % _AT_A_TIME == 0:
                await asyncio.sleep(0)  # a long backlog must not hold up callers
            first = self._held[0]
            if isinstance(first, CelPosition):
                self._book.read_cel_to(msgspec.json.encode(first).decode())
            elif everything or first.time <= before:
                for seen in self._observer.observe(first):
                    self._book.observe(seen)
            else:
                return
            self._held.popleft()
