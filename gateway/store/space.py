"""What is left out when the disk is short of space."""

from collections.abc import Collection

import structlog

from gateway.core.clock import Clock
from gateway.store.engine import Database

log = structlog.get_logger(__name__)

_SHORT_AFTER_FULL_S = 30.0


class Space:
    """Watches the disk of the database, and names the types of events that have to wait for better days.

    It is short below ``min_free_bytes``, and for half a minute after the database itself has found the disk full.
    """

    def __init__(self, database: Database, clock: Clock, *, min_free_bytes: int, sheddable: Collection[str]) -> None:
        self.short = False
        self._database = database
        self._clock = clock
        self._min_free_bytes = min_free_bytes
        self._sheddable = sheddable
        self._short_until = 0.0

    def look(self) -> Collection[str]:
        """Return the types that are left out now; keep the reserve while there is room for it."""
        free = self._database.free_bytes()
        short = self._clock.monotonic() < self._short_until or (free is not None and free < self._min_free_bytes)
        if short is not self.short:
            self.short = short
            log.warning("disk short, telemetry is left out" if short else "disk has room again", free_bytes=free)
        if not short:
            self._database.keep_reserve()
        return self._sheddable if short else ()

    def ran_out(self) -> None:
        """The database has just found the disk full."""
        self._short_until = self._clock.monotonic() + _SHORT_AFTER_FULL_S
