"""Releases over HTTP: requests with their steps. Changes are commands."""

from datetime import datetime
from typing import Annotated

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter

from gateway.principals.model import Principal
from gateway.release.rules import Release
from gateway.release.service import ReleaseService


def routes(service: ReleaseService) -> list[HTTPRouteHandler]:
    """Return the handlers; the host mounts them and injects ``principal``."""

    @get("/releases", name="releases")
    async def releases(
        principal: Principal,
        kind: str | None = None,
        before: datetime | None = None,
        limit: Annotated[int, Parameter(ge=1, le=500)] = 100,
    ) -> list[Release]:
        principal.require("ops.release_read", kind or "*")
        return await service.page(kind=kind, before=before, limit=limit)

    @get("/releases/{release:str}", name="release")
    async def release_view(principal: Principal, release: str) -> Release:
        found = await service.get(release)
        principal.require("ops.release_read", found.kind)
        return found

    return [releases, release_view]
