"""The supervised adapter ``archive``: reconciles at the start, then deletes what is due and scrubs, for ever."""

import structlog

from gateway.archive.options import ArchiveOptions
from gateway.archive.service import ArchiveService
from gateway.core.clock import Clock
from gateway.core.supervisor import Reporter

log = structlog.get_logger(__name__)


class ArchiveCare:
    """One document is verified at a time, slowly; retention runs at its interval."""

    name = "archive"

    def __init__(self, service: ArchiveService, options: ArchiveOptions, clock: Clock) -> None:
        self._service = service
        self._options = options
        self._clock = clock

    async def run(self, reporter: Reporter) -> None:
        """Run until cancelled."""
        await self._service.start()
        reporter.ready()
        found = await self._service.reconcile()
        log.info("archive reconciled", adopted=found.adopted, missing=found.missing, damaged=found.damaged)
        next_retention = self._clock.monotonic()
        while True:
            if self._clock.monotonic() >= next_retention:
                next_retention = self._clock.monotonic() + self._options.retention_every_s
                deleted = await self._service.retention(dry_run=False)
                log.info("retention done", deleted=len(deleted))
            await self._clock.sleep(self._options.scrub_every_s)
            await self._service.scrub_next()
