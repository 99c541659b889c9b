"""The HTTP application: every route of the host and of the features, behind one gate."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from litestar import Litestar, Response, get
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.router import Router
from litestar.types import ASGIApp
from prometheus_client import CollectorRegistry, Gauge

from gateway.core.clock import Clock
from gateway.core.errors import TrunklineError
from gateway.core.page import Page
from gateway.web.assets import asset_routes, page_assets, shell_assets
from gateway.web.auth import PRINCIPAL, Doorkeeper, session_routes
from gateway.web.command_routes import command_routes
from gateway.web.event_routes import event_routes
from gateway.web.gate import Gate
from gateway.web.live import LiveHub
from gateway.web.openapi import document
from gateway.web.options import WebOptions
from gateway.web.ports import Authenticator, Dispatcher, Journal
from gateway.web.problems import answer_crash, answer_error, answer_http
from gateway.web.status_routes import Site, status_routes


@dataclass(frozen=True, slots=True)
class WebParts:
    """What the host serves. ``routes`` are the features' litestar handlers, mounted below ``/api/v1``."""

    authenticator: Authenticator
    dispatcher: Dispatcher
    journal: Journal
    hub: LiveHub
    site: Site
    clock: Clock
    metrics: CollectorRegistry
    pages: Sequence[Page] = ()
    routes: Sequence[HTTPRouteHandler] = field(default=())


def web_application(options: WebOptions, parts: WebParts) -> ASGIApp:
    """Compose the application. Blocking (it reads the files of the console): call it when starting."""
    doorkeeper = Doorkeeper(parts.authenticator, options)
    open_streams = Gauge("trunkline_live_streams", "Live event streams that are open", registry=parts.metrics)
    open_streams.set_function(lambda: parts.hub.streams)
    routes: tuple[HTTPRouteHandler | Router, ...] = (
        *session_routes(parts.authenticator, doorkeeper),
        *command_routes(parts.dispatcher),
        *event_routes(parts.hub, parts.journal, doorkeeper),
        *status_routes(parts.site, parts.hub, parts.metrics, parts.clock),
        *asset_routes(shell_assets(), page_assets(parts.pages), parts.pages),
        Router("/api/v1", route_handlers=list(parts.routes)),
    )
    dependencies = {"principal": PRINCIPAL}
    described = document(routes, dependencies, parts.dispatcher.specs(), cookie_name=doorkeeper.cookie_name)

    @get("/api/v1/openapi.json", opt={"public": True}, include_in_schema=False)
    async def openapi() -> Response[bytes]:
        return Response(described, media_type="application/json")

    app = Litestar(
        route_handlers=[*routes, openapi],
        guards=[doorkeeper.guard],
        dependencies=dependencies,
        exception_handlers={
            TrunklineError: answer_error,
            HTTPException: answer_http,
            Exception: answer_crash,
        },
        request_max_body_size=options.max_body_bytes,
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    return Gate(app, options)
