"""Releases over HTTP: requests with their steps. Changes are commands."""

from datetime import datetime
from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter

from gateway.principals.model import Principal
from gateway.release.rules import Release
from gateway.release.service import ReleaseService


def routes(service: ReleaseService) -> list[HTTPRouteHandler]:
    """Return the handlers; the host mounts them and injects ``principal``."""

    @get("/releases", name="releases")
    async def releases(
        principal: NamedDependency[Principal],
        kind: FromQuery[str | None] = None,
        before: FromQuery[datetime | None] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
    ) -> list[Release]:
        principal.require("ops.release_read", kind or "*")
        return await service.page(kind=kind, before=before, limit=limit)

    @get("/releases/{release:str}", name="release")
    async def release_view(principal: NamedDependency[Principal], release: FromPath[str]) -> Release:
        found = await service.get(release)
        principal.require("ops.release_read", found.kind)
        return found

    return [releases, release_view]
