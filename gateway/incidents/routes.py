"""Incidents over HTTP: what is kept of them. Changes are commands."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter

from gateway.incidents.repository import IncidentRecord
from gateway.incidents.service import IncidentService, IncidentView
from gateway.principals.model import Principal


def routes(service: IncidentService) -> list[HTTPRouteHandler]:
    """Return the handlers; the host mounts them and injects ``principal``."""

    @get("/incidents", name="incidents")
    async def incidents(
        principal: NamedDependency[Principal],
        only_open: FromQuery[bool] = False,  # noqa: FBT002  # a query parameter
        before: FromQuery[datetime | None] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
    ) -> list[IncidentRecord]:
        principal.require("ops.incident_read", "incidents")
        return await service.page(only_open=only_open, before=before, limit=limit)

    @get("/incidents/{incident:str}", name="incident")
    async def incident_view(principal: NamedDependency[Principal], incident: FromPath[str]) -> IncidentView:
        principal.require("ops.incident_read", "incidents")
        return await service.view(incident)

    @get("/incidents/{incident:str}/timeline", name="incident_timeline")
    async def incident_timeline(
        principal: NamedDependency[Principal],
        incident: FromPath[str],
        after: Annotated[int, QueryParameter(ge=0)] = 0,
        limit: Annotated[int, QueryParameter(ge=1, le=2000)] = 500,
    ) -> list[msgspec.Raw]:
        principal.require("ops.incident_read", "incidents")
        return [msgspec.Raw(event.payload) for event in await service.timeline(incident, after=after, limit=limit)]

    return [incidents, incident_view, incident_timeline]
