"""Alarms over HTTP: the board in full, and history. Changes are commands."""

from datetime import datetime
from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter

from gateway.alarms.rules import Alarm
from gateway.alarms.service import AlarmService
from gateway.principals.model import Principal


def routes(service: AlarmService) -> list[HTTPRouteHandler]:
    """Return the handlers; the host mounts them and injects ``principal``."""

    @get("/alarms", name="alarms")
    async def alarms(principal: NamedDependency[Principal], source: FromQuery[str | None] = None) -> list[Alarm]:
        principal.require("ops.alarm_read", "alarms")
        return [alarm for alarm in service.active() if source is None or alarm.source == source]

    @get("/alarms/history", name="alarm_history")
    async def alarm_history(
        principal: NamedDependency[Principal],
        before: FromQuery[datetime | None] = None,
        source: FromQuery[str | None] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
    ) -> list[Alarm]:
        principal.require("ops.alarm_read", "alarms")
        return await service.history(before=before, source=source, limit=limit)

    return [alarms, alarm_history]
