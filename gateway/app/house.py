"""The composition root: the one place where every part is made and joined.

A :class:`House` is made open and not started: its services work, nothing outside is touched. The daemon then starts its
adapters; the command line, when no daemon runs, uses it as it is.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp
from prometheus_client import CollectorRegistry

from config.settings import Settings
from gateway.alarms import commands as alarm_commands
from gateway.alarms import routes as alarm_routes
from gateway.alarms.escalation import Escalation
from gateway.alarms.options import AlarmOptions
from gateway.alarms.service import AlarmService
from gateway.app.bus import SecurityKeeper, alarm_of, broker_security, bus_door
from gateway.app.contract import contract, version
from gateway.app.health import HealthAlarms
from gateway.app.housekeeping import Housekeeping, StoreWatch
from gateway.app.metrics import GatewayCollector
from gateway.app.paths import StatePaths
from gateway.app.ringer import TelephoneRinger
from gateway.app.switchboard import build_switchboard
from gateway.archive import commands as archive_commands
from gateway.archive import routes as archive_routes
from gateway.archive.care import ArchiveCare
from gateway.archive.folder import Folder
from gateway.archive.options import ArchiveOptions
from gateway.archive.service import ArchiveService
from gateway.bus import replay as bus_replay
from gateway.bus.connections import CurrentConnection
from gateway.bus.options import BusOptions
from gateway.bus.relay import sensitive_names
from gateway.bus.replay import ReplayService
from gateway.bus.service import Bus, BusNeeds
from gateway.bus.topics import Topics
from gateway.commands import administration, auditing
from gateway.commands.dispatcher import CommandDispatcher
from gateway.commands.options import CommandOptions
from gateway.commands.registry import CommandRegistry
from gateway.core.board import Board
from gateway.core.clock import Clock, SystemClock
from gateway.core.supervisor import Adapter, Supervisor
from gateway.directory import commands as directory_commands
from gateway.directory import routes as directory_routes
from gateway.directory.care import DirectoryCare
from gateway.directory.numbers import Numbering
from gateway.directory.options import NumberingOptions
from gateway.directory.service import DirectoryService
from gateway.incidents import commands as incident_commands
from gateway.incidents import repository as incident_repository
from gateway.incidents import routes as incident_routes
from gateway.incidents.options import IncidentOptions
from gateway.incidents.service import IncidentService
from gateway.principals.audit import AuditTrail
from gateway.principals.options import PrincipalsOptions
from gateway.principals.service import PrincipalService
from gateway.release import commands as release_commands
from gateway.release import routes as release_routes
from gateway.release.expiry import ReleaseExpiry
from gateway.release.options import ReleaseOptions
from gateway.release.service import ReleaseService
from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore
from gateway.web.application import WebParts, web_application
from gateway.web.host import LocalSocket, WebHost
from gateway.web.live import LiveHub
from gateway.web.options import WebOptions
from gateway.web.status_routes import Site
from trunks.telephone import commands as telephone_commands
from trunks.telephone import routes as telephone_routes
from trunks.telephone.options import TelephoneOptions

_HANDS_S = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class House:
    """Every part that others ask for, and the adapters in the order of their start.

    ``hands`` carry out what is commanded, ``doors`` are where commands come in: the hands are there first.
    """

    store: SqlStore
    board: Board
    clock: Clock
    supervisor: Supervisor
    principals: PrincipalService
    audit: AuditTrail
    dispatcher: CommandDispatcher
    directory: DirectoryService
    hands: tuple[Adapter, ...]
    doors: tuple[Adapter, ...]
    disabled: tuple[tuple[str, str], ...]
    app: ASGIApp

    async def start(self) -> None:
        """Start the hands, settle what the time before left open, and only then open the doors."""
        for name, reason in self.disabled:
            self.supervisor.disable(name, reason)
        for adapter in self.hands:
            self.supervisor.start(adapter)
        await self.supervisor.settled(deadline_s=_HANDS_S)
        await self.dispatcher.recover()
        for adapter in self.doors:
            self.supervisor.start(adapter)

    async def stop(self, grace_s: float) -> None:
        """Stop the adapters, the last one first."""
        await self.supervisor.stop(grace_s=grace_s)


@contextlib.asynccontextmanager
async def open_house(settings: Settings, paths: StatePaths, *, running: bool) -> AsyncIterator[House]:
    """Open the store and make every part. *running* tells that :meth:`House.start` will be called.

    A house that is only looked into is no start of the gateway, and settles nothing that the daemon has left.
    """
    async with contextlib.AsyncExitStack() as stack:
        house = await _build(stack, settings, paths, running=running)
        if not running:
            house.dispatcher.open()  # what the daemon has accepted is settled by the daemon
        yield house


async def _build(  # one name for each part; reads from the bottom of the house to its top
    stack: contextlib.AsyncExitStack, settings: Settings, paths: StatePaths, *, running: bool
) -> House:
    await asyncio.to_thread(paths.create)
    clock = SystemClock()
    board = Board()
    site = settings.of(BusOptions).site

    store = SqlStore(settings.of(StoreOptions), folder=paths.root, site=site, clock=clock, count_start=running)
    await store.open()
    stack.push_async_callback(store.close)

    audit = AuditTrail(store)
    security = await asyncio.to_thread(lambda: broker_security(settings, paths, store, _command_names, running=running))
    principals = PrincipalService(
        store, clock, settings.of(PrincipalsOptions), audit, sinks=() if security is None else (security,)
    )
    stack.callback(principals.close)
    await principals.start()

    numbering = Numbering(settings.of(NumberingOptions))
    directory = DirectoryService(store, numbering, clock, audit, folder=paths.directory)
    await directory.load()
    incidents = IncidentService(store, settings.of(IncidentOptions))
    await incidents.start()
    alarms = AlarmService(store=store, board=board, clock=clock, options=settings.of(AlarmOptions))
    releases = ReleaseService(store=store, board=board, audit=audit, options=settings.of(ReleaseOptions))
    archive = build_archive(settings, paths, store=store, clock=clock, audit=audit, alarms=alarms)

    switchboard = await build_switchboard(
        settings,
        paths,
        store=store,
        board=board,
        clock=clock,
        directory=directory,
        numbering=numbering,
        incident_of=incidents.index.incident_of,
    )
    telephone = settings.of(TelephoneOptions)
    ringer = TelephoneRinger(
        switchboard.service,
        positions=[phone.number for phone in telephone.phones],
        duty_leader=telephone.duty_leader,
        timeout_s=settings.of(AlarmOptions).ring_timeout_s,
    )

    bus_options = settings.of(BusOptions)
    topics = Topics(bus_options.site)
    current = CurrentConnection()
    sensitive = sensitive_names(contract().events)
    replay = ReplayService(store, current, topics, clock, sensitive=sensitive)
    registry = CommandRegistry(
        (
            *administration.commands(principals),
            *auditing.commands(audit),
            *alarm_commands.commands(alarms),
            *archive_commands.commands(archive),
            *bus_replay.commands(replay),
            *directory_commands.commands(directory),
            *incident_commands.commands(incidents),
            *release_commands.commands(releases),
            *telephone_commands.commands(switchboard.service),
        )
    )
    dispatcher = CommandDispatcher(store, clock, settings.of(CommandOptions), registry, audit, principals=principals)
    stack.push_async_callback(dispatcher.stop)

    health = HealthAlarms(alarms)
    stack.callback(health.close)
    supervisor = Supervisor(clock, on_change=health.changed)
    login, port = await asyncio.to_thread(bus_door, bus_options, paths)
    bus = Bus(
        BusNeeds(
            options=bus_options,
            port=port,
            login=login,
            store=store,
            journal=store,
            board=board,
            clock=clock,
            dispatcher=dispatcher,
            applications=principals.applications,
            audit=audit,
            contract=contract(),
            version=version(),
            epoch=store.epoch,
            health=supervisor.health,
            on_alarm=alarm_of(alarms),
        ),
        current,
    )
    stack.callback(bus.close)
    stack.push_async_callback(replay.close)
    health.listen(lambda _: bus.retained.note_health())

    metrics = CollectorRegistry()
    metrics.register(GatewayCollector(supervisor=supervisor, store=store, switchboard=switchboard, bus=bus))
    web = settings.of(WebOptions)
    hub = LiveHub(
        journal=store,
        board=board,
        clock=clock,
        epoch=store.epoch,
        last_seq=store.last_seq,
        stream_max=web.stream_max,
        stream_buffer=web.stream_buffer,
        heartbeat_s=web.heartbeat_s,
        sensitive=sensitive,
    )
    stack.callback(hub.close)
    routes: Sequence[HTTPRouteHandler] = (
        *alarm_routes.routes(alarms),
        *archive_routes.routes(archive),
        *incident_routes.routes(incidents),
        *release_routes.routes(releases),
        *directory_routes.routes(directory),
        *telephone_routes.routes(switchboard.service),
    )
    parts = WebParts(
        authenticator=principals,
        dispatcher=dispatcher,
        journal=store,
        hub=hub,
        site=Site(
            name=site, started_at=clock.wall(), health=supervisor.health, versions=lambda: {"trunkline": version()}
        ),
        clock=clock,
        metrics=metrics,
        pages=(telephone_routes.PAGE,),
        routes=routes,
    )
    app = await asyncio.to_thread(web_application, web, parts)
    local = LocalSocket(web, app, hub, paths.socket)
    console = (WebHost(web, app, hub),) if web.enabled else ()

    return House(
        store=store,
        board=board,
        clock=clock,
        supervisor=supervisor,
        principals=principals,
        audit=audit,
        dispatcher=dispatcher,
        directory=directory,
        hands=(
            StoreWatch(store, clock),
            *switchboard.adapters,
            Escalation(alarms, ringer, clock),
            ReleaseExpiry(releases, clock),
            DirectoryCare(directory),
            ArchiveCare(archive, settings.of(ArchiveOptions), clock),
        ),
        doors=(
            local,
            *console,
            bus.session,
            bus.relay,
            bus.intake,
            *(() if security is None else (SecurityKeeper(security, current, principals.applications),)),
            Housekeeping(store, dispatcher, clock=clock),
        ),
        disabled=() if console else (("web", "web.enabled is false"),),
        app=app,
    )


def _command_names() -> list[str]:
    return [spec.name for spec in contract().commands]


def build_archive(
    settings: Settings, paths: StatePaths, *, store: SqlStore, clock: Clock, audit: AuditTrail, alarms: AlarmService
) -> ArchiveService:
    """Make the archive of documents on its folder."""
    options = settings.of(ArchiveOptions)
    root = Path(options.folder) if options.folder else paths.archive
    return ArchiveService(
        store=store,
        folder=Folder(root, max_bytes=options.max_bytes, reserve_bytes=options.reserve_bytes),
        clock=clock,
        audit=audit,
        alarms=alarms,
        options=options,
        incident_of=incident_repository.link_of,
    )
