"""How the gateway is: for people, for Prometheus, and for whoever only wants to know that it lives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import prometheus_client
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CollectorRegistry

from gateway.core.clock import Clock
from gateway.core.events import Message
from gateway.core.supervisor import Health, State
from gateway.principals.model import Principal
from gateway.web.live import LiveHub

METRICS_READ = "sys.metrics_read"


@dataclass(frozen=True, slots=True)
class Site:
    """What the gateway tells of itself. ``versions`` names programs: ``{"trunkline": "0.1.0", "asterisk": …}``."""

    name: str
    started_at: datetime
    health: Callable[[], Sequence[Health]]
    versions: Callable[[], dict[str, str]] = field(default=dict)


class AdapterHealth(Message, frozen=True):
    """The state of one adapter, since when, why, and how often it was started again."""

    name: str
    state: State
    since: datetime
    reason: str
    restarts: int


class Status(Message, frozen=True):
    """The gateway's present state. ``state`` is the worst of its adapters, those that are switched off left out."""

    site: str
    state: State
    epoch: int
    last_seq: int
    started_at: datetime
    now: datetime
    streams: int
    versions: dict[str, str]
    adapters: list[AdapterHealth]


class Alive(Message, frozen=True):
    """The answer to whoever only wants to know that the gateway lives."""

    status: str = "ok"


_WORST_FIRST = (State.CONFIG_ERROR, State.DEGRADED, State.STOPPED, State.STARTING)


def worst(healths: Sequence[Health]) -> State:
    """Return the state that stands for all: ``READY`` when every adapter that is switched on is ready."""
    states = {each.state for each in healths}
    return next((state for state in _WORST_FIRST if state in states), State.READY)


def status_routes(site: Site, hub: LiveHub, registry: CollectorRegistry, clock: Clock) -> list[HTTPRouteHandler]:
    """Return the handlers of ``/api/v1/status``, ``/metrics`` and ``/healthz``."""

    @get("/api/v1/status", tags=["system"])
    async def status() -> Status:
        """Tell the state of every part."""
        healths = site.health()
        return Status(
            site=site.name,
            state=worst(healths),
            epoch=hub.epoch,
            last_seq=hub.last_seq,
            started_at=site.started_at,
            now=clock.wall(),
            streams=hub.streams,
            versions=site.versions(),
            adapters=[
                AdapterHealth(
                    name=each.name, state=each.state, since=each.since, reason=each.reason, restarts=each.restarts
                )
                for each in healths
            ],
        )

    @get("/metrics", tags=["system"], media_type="text/plain")
    async def metrics(principal: NamedDependency[Principal]) -> Response[bytes]:
        """Give the counters in Prometheus' text format; needs the right ``sys.metrics_read``."""
        principal.require(METRICS_READ)
        return Response(prometheus_client.generate_latest(registry), media_type=prometheus_client.CONTENT_TYPE_LATEST)

    @get("/healthz", opt={"public": True}, tags=["system"])
    async def alive() -> Alive:
        """Say that the event loop turns."""
        return Alive()

    return [status, metrics, alive]
