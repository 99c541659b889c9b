"""What is done once in a while: old rows leave the journal and the ledger."""

from typing import Protocol

from gateway.core.clock import Clock
from gateway.core.supervisor import Reporter

_EVERY_S = 3600.0


class Prunable(Protocol):
    """Something with rows that grow old."""

    async def prune(self) -> int:
        """Delete what is older than its setting allows; return how many rows."""
        ...


class Housekeeping:
    """The adapter that prunes, an hour apart."""

    name = "housekeeping"

    def __init__(self, *prunables: Prunable, clock: Clock) -> None:
        self._prunables = prunables
        self._clock = clock

    async def run(self, reporter: Reporter) -> None:
        """Prune until cancelled."""
        while True:
            for prunable in self._prunables:
                await prunable.prune()
            reporter.ready()
            await self._clock.sleep(_EVERY_S)
