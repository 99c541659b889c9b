"""Events for a consumer that waits: bounded, and honest about what it had to drop."""

import asyncio
from collections import deque
from collections.abc import Callable

from gateway.asterisk.ami_codec import AmiMessage
from gateway.asterisk.errors import AmiGapError


class AmiQueue:
    """A queue of events. When it overflows, all that waits in it is dropped and the consumer is told at its next get.

    Half a history would be worse than none: after a gap the owner reads the present state anew, then goes on.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._events: deque[AmiMessage] = deque()
        self._lost = 0
        self._filled = asyncio.Event()
        self._close: Callable[[], None] = lambda: None

    def put(self, message: AmiMessage) -> None:
        """Add an event; never waits."""
        if len(self._events) >= self._limit:
            self._lost += len(self._events)
            self._events.clear()
        self._events.append(message)
        self._filled.set()

    async def get(self) -> AmiMessage:
        """Wait for the next event; raise :class:`AmiGapError` once for each gap, before the first event behind it."""
        await self._filled.wait()
        if self._lost:
            lost, self._lost = self._lost, 0
            raise AmiGapError(reason=f"{lost} waited in a full queue")
        message = self._events.popleft()
        if not self._events:
            self._filled.clear()
        return message

    def on_close(self, end: Callable[[], None]) -> None:
        """Call *end* when the queue is closed."""
        self._close = end

    def close(self) -> None:
        """Take no more events."""
        self._close()
        self._close = lambda: None
