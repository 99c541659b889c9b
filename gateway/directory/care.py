"""The supervised adapter ``contacts``: makes the large segment anew when much has changed."""

from gateway.core.supervisor import Reporter
from gateway.directory.service import DirectoryService


class DirectoryCare:
    """Searches and changes go on while it works."""

    name = "contacts"

    def __init__(self, service: DirectoryService) -> None:
        self._service = service

    async def run(self, reporter: Reporter) -> None:
        """Run until cancelled."""
        reporter.ready()
        while True:
            await self._service.much_changed()
            await self._service.compact()
