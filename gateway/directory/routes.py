"""The directory over HTTP: import and export of whole files, search and lookup."""

from typing import Annotated

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from gateway.directory.commands import ContactShown, shown
from gateway.directory.service import DirectoryService, ImportReport
from gateway.principals.model import Principal

IMPORT = "dir.import"
EXPORT = "dir.export"
SEARCH = "dir.search"
LARGEST_FILE_BYTES = 64 << 20


def routes(service: DirectoryService) -> list[HTTPRouteHandler]:
    """Return the handlers of ``/api/v1/contacts``."""

    @post("/contacts/import", status_code=200, tags=["directory"], request_max_body_size=LARGEST_FILE_BYTES)
    async def import_contacts(
        request: Request[object, object, State],
        principal: NamedDependency[Principal],
        dry_run: Annotated[bool, QueryParameter(description="Only tell what would change.")] = False,  # noqa: FBT002
    ) -> ImportReport:
        """Import a CSV file (UTF-8 or GB18030): all of it or, when any row is wrong, nothing."""
        principal.require(IMPORT)
        return await service.import_csv(await request.body(), dry_run=dry_run, principal=principal)

    @get("/contacts/export", tags=["directory"], media_type="text/csv; charset=utf-8")
    async def export_contacts(principal: NamedDependency[Principal]) -> Response[bytes]:
        """Return all contacts as CSV in UTF-8 with a byte order mark, as spreadsheets want it."""
        principal.require(EXPORT)
        return Response(await service.export_csv(), media_type="text/csv; charset=utf-8")

    @get("/contacts", tags=["directory"])
    async def search_contacts(
        principal: NamedDependency[Principal],
        q: Annotated[str, QueryParameter(max_length=100, description="What was typed.")],
        limit: Annotated[int, QueryParameter(ge=1, le=200)] = 20,
    ) -> list[ContactShown]:
        """Search as one types, best first."""
        principal.require(SEARCH)
        return [shown(found) for found in await service.search(q, limit)]

    return [import_contacts, export_contacts, search_contacts]
