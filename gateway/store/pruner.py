"""Keeps the journal within its days."""

import structlog

from gateway.core.clock import Clock
from gateway.core.supervisor import Reporter
from gateway.store.store import SqlStore

log = structlog.get_logger(__name__)

_EVERY_S = 3600.0


class JournalPruner:
    """An adapter (see :class:`gateway.core.supervisor.Adapter`) that prunes at the start and once an hour."""

    name = "journal"

    def __init__(self, store: SqlStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def run(self, reporter: Reporter) -> None:
        """Run until cancelled."""
        while True:
            count = await self._store.prune()
            reporter.ready()
            if count:
                log.info("journal pruned", events=count)
            await self._clock.sleep(_EVERY_S)
