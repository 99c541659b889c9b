"""The directory over HTTP: import and export of whole files, search and lookup."""

from typing import Annotated, Literal

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from gateway.directory.callers import Caller
from gateway.directory.commands import CONTACT_READ, GROUP_READ, HISTORY_READ, UNITS_READ, ContactShown, shown
from gateway.directory.contact import Contact, OrgUnit
from gateway.directory.repository import Change
from gateway.directory.service import DirectoryService, ImportReport
from gateway.principals.model import Principal

IMPORT = "dir.import"
EXPORT = "dir.export"
SEARCH = "dir.search"
LOOKUP = "dir.lookup"
CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
LARGEST_FILE_BYTES = 64 << 20


def routes(service: DirectoryService) -> list[HTTPRouteHandler]:
    """Return the handlers of ``/api/v1/contacts``."""

    @post("/contacts/import", status_code=200, tags=["directory"], request_max_body_size=LARGEST_FILE_BYTES)
    async def import_contacts(
        request: Request[object, object, State],
        principal: NamedDependency[Principal],
        dry_run: Annotated[bool, QueryParameter(description="Only tell what would change.")] = False,  # noqa: FBT002
    ) -> ImportReport:
        """Import a workbook or a CSV file (UTF-8 or GB18030): all of it or, when any row is wrong, nothing."""
        principal.require(IMPORT)
        return await service.import_file(await request.body(), dry_run=dry_run, principal=principal)

    @get("/contacts/export", tags=["directory"], media_type=CSV)
    async def export_contacts(
        principal: NamedDependency[Principal],
        file_format: Annotated[
            Literal["csv", "xlsx"],
            QueryParameter(name="format", description="CSV with a byte order mark, or a workbook."),
        ] = "csv",
    ) -> Response[bytes]:
        """Return all contacts as a file that can be imported again."""
        principal.require(EXPORT)
        workbook = file_format == "xlsx"
        content = await service.export_file(principal=principal, workbook=workbook)
        return Response(content, media_type=XLSX if workbook else CSV)

    @get("/contacts", tags=["directory"])
    async def search_contacts(
        principal: NamedDependency[Principal],
        q: Annotated[str, QueryParameter(max_length=100, description="What was typed.")],
        limit: Annotated[int, QueryParameter(ge=1, le=200)] = 20,
    ) -> list[ContactShown]:
        """Search as one types, best first."""
        principal.require(SEARCH)
        return [shown(found) for found in await service.search(q, limit, principal=principal)]

    @get("/contacts/lookup", tags=["directory"])
    async def lookup_number(
        principal: NamedDependency[Principal],
        number: Annotated[str, QueryParameter(max_length=100, description="A number as a caller shows it.")],
    ) -> Caller:
        """Tell whose number it is, and what is known of it from earlier calls."""
        principal.require(LOOKUP)
        return await service.caller(number, principal)

    @get("/contacts/units", tags=["directory"])
    async def read_units(principal: NamedDependency[Principal]) -> list[OrgUnit]:
        """Return the tree, as each unit with the one above it."""
        principal.require(UNITS_READ.name)
        return service.units()

    @get("/contacts/groups/{group:str}", tags=["directory"])
    async def read_group(principal: NamedDependency[Principal], group: FromPath[str]) -> list[Contact]:
        """Return the contacts of a group that are valid today."""
        principal.require(GROUP_READ.name)
        return service.members(group, principal)

    @get("/contacts/{contact_id:str}", tags=["directory"])
    async def read_contact(principal: NamedDependency[Principal], contact_id: FromPath[str]) -> Contact:
        """Return one contact whole."""
        principal.require(CONTACT_READ.name)
        return service.get(contact_id, principal)

    @get("/contacts/{contact_id:str}/history", tags=["directory"])
    async def read_history(
        principal: NamedDependency[Principal],
        contact_id: FromPath[str],
        before_seq: Annotated[int | None, QueryParameter(description="Only what was before; pages on.")] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    ) -> list[Change]:
        """Tell who changed the contact and when, the latest first."""
        principal.require(HISTORY_READ.name)
        return await service.history(contact_id, principal, before_seq=before_seq, limit=limit)

    @post("/contacts/{contact_id:str}/used", tags=["directory"], status_code=204)
    async def note_use(principal: NamedDependency[Principal], contact_id: FromPath[str]) -> None:
        """Note that the operator called or wrote to it: what one uses comes first among equal matches."""
        principal.require(SEARCH)
        await service.note_use(contact_id, principal=principal)

    return [
        import_contacts,
        export_contacts,
        search_contacts,
        lookup_number,
        read_units,
        read_group,
        read_contact,
        read_history,
        note_use,
    ]
