"""Where everybody who publishes finds the connection that stands now."""

import asyncio
from typing import Protocol

from gateway.bus.port import BusConnection


class Connections(Protocol):
    """Where a connection that is ready is had from."""

    async def ready(self) -> BusConnection:
        """Wait until a connection stands and everything retained is published, and return it."""
        ...


class CurrentConnection:
    """The one connection of the gateway: put in by the session, waited for by all others."""

    def __init__(self) -> None:
        self._connection: BusConnection | None = None
        self._is_ready = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """Whether a connection stands now."""
        return self._connection is not None and not self._connection.lost.done()

    def put(self, connection: BusConnection) -> None:
        """Hand out *connection* from now on."""
        self._connection = connection
        self._is_ready.set()

    def clear(self) -> None:
        """Hand out nothing from now on."""
        self._connection = None
        self._is_ready.clear()

    async def ready(self) -> BusConnection:
        """See :class:`Connections`."""
        while True:
            await self._is_ready.wait()
            if self._connection is not None and not self._connection.lost.done():
                return self._connection
            self._is_ready.clear()
