"""Documents over HTTP: search, why something is kept, and the authorised fetch. Changes are commands."""

from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from gateway.archive.ranges import RangeError, parse_range
from gateway.archive.repository import Document
from gateway.archive.rules import Hold, Verdict
from gateway.archive.service import ArchiveService
from gateway.principals.model import Principal

INLINE = frozenset({"application/pdf", "audio/ogg", "audio/wav", "image/jpeg", "image/png", "text/plain"})


def routes(service: ArchiveService) -> list[HTTPRouteHandler]:
    """Return the handlers; the host mounts them and injects ``principal``."""

    @get("/documents", name="documents")
    async def documents(  # noqa: PLR0917  # query parameters, given by name
        principal: NamedDependency[Principal],
        kind: FromQuery[str | None] = None,
        aggregate: FromQuery[str | None] = None,
        incident: FromQuery[str | None] = None,
        before: FromQuery[datetime | None] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
    ) -> list[Document]:
        principal.require("ops.document_list", kind or "*")
        return await service.search(kind=kind, aggregate=aggregate, incident=incident, before=before, limit=limit)

    @get("/documents/{document:str}/why", name="document_why")
    async def document_why(principal: NamedDependency[Principal], document: FromPath[str]) -> Verdict:
        principal.require("ops.document_list", (await service.get(document)).kind)
        return await service.explain(document)

    @get("/holds", name="holds")
    async def holds(principal: NamedDependency[Principal], ended: FromQuery[bool] = False) -> list[Hold]:  # noqa: FBT002
        principal.require("ops.hold_list", "*")
        return await service.holds(ended=ended)

    @get("/documents/{document:str}/content", name="document_content")
    async def document_content(
        principal: NamedDependency[Principal], request: Request[object, object, State], document: FromPath[str]
    ) -> Stream | Response[None]:
        found = await service.get(document)
        principal.require("ops.document_read", found.kind)
        etag = f'"{found.digest}"'
        condition = request.headers.get("if-range")
        asked = request.headers.get("range") if condition in {None, etag} else None
        try:
            wanted = parse_range(asked, found.size)
        except RangeError:
            return Response(None, status_code=416, headers={"content-range": f"bytes */{found.size}"})
        # Verified and written down before the first byte leaves: an error later could not be told any more.
        await service.verify(found.digest)
        start, stop = wanted or (0, found.size)
        await service.fetched(found, principal, {"from": start, "to": stop})
        how = "inline" if found.media_type in INLINE else "attachment"
        headers = {
            "accept-ranges": "bytes",
            "cache-control": "private, no-cache",
            "content-disposition": f"{how}; filename*=UTF-8''{quote(found.name or found.id, safe='')}",
            "content-length": str(stop - start),
            "content-security-policy": "default-src 'none'; sandbox",
            "etag": etag,
            "x-content-type-options": "nosniff",
        }
        if wanted is not None:
            headers["content-range"] = f"bytes {start}-{stop - 1}/{found.size}"
        return Stream(
            service.read(found, start, stop),
            status_code=206 if wanted is not None else 200,
            media_type=found.media_type,
            headers=headers,
        )

    return [documents, document_why, holds, document_content]
