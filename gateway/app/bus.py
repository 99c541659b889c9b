"""Puts the bus together: one session, the outbox behind it, commands in and answers out."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from config.settings import Settings
from gateway.app.contract import contract, version
from gateway.app.credentials import broker_paths, credentials
from gateway.app.paths import StatePaths
from gateway.bus.asyncapi import catalog_of
from gateway.bus.broker import GATEWAY_USER
from gateway.bus.dynsec import BrokerSecurity
from gateway.bus.intake import CommandIntake, Dispatcher, Refusals
from gateway.bus.messages import Info
from gateway.bus.mqtt import MqttPort, endpoint_of
from gateway.bus.options import BusOptions
from gateway.bus.port import Login
from gateway.bus.relay import OutboxRelay, sensitive_names
from gateway.bus.replay import ReplayService
from gateway.bus.repository import CredentialRepository
from gateway.bus.retained import RetainedState
from gateway.bus.session import BusSession
from gateway.bus.topics import Topics
from gateway.core.alarm import AlarmSink, Condition, Severity
from gateway.core.board import Board
from gateway.core.clock import Clock
from gateway.core.errors import TrunklineError
from gateway.core.ids import new_id
from gateway.core.supervisor import Adapter, Health, Reporter
from gateway.core.text import Text
from gateway.principals.applications import ApplicationService
from gateway.store.store import SqlStore

BROKER_ADMIN = "broker-admin"
BROKER_GATEWAY = "broker-gateway"
"""Names of the credentials at the private broker."""


def broker_security(
    settings: Settings, paths: StatePaths, store: SqlStore, commands: Callable[[], Sequence[str]], *, running: bool
) -> BrokerSecurity | None:
    """Return what keeps the private broker's credentials; ``None`` at an external one, which has its own keeper.

    With *running* the broker itself is told of changes at once. Blocking: reads a credential.
    """
    options = settings.of(BusOptions)
    if options.broker != "private":
        return None
    return BrokerSecurity(
        options.site,
        CredentialRepository(store),
        commands=commands,
        port=MqttPort(endpoint_of(options, broker_paths(paths).socket), options) if running else None,
        admin_password=credentials(paths).read(BROKER_ADMIN) if running else "",
        deadline_s=options.deadline_s,
    )


def alarm_of(alarms: AlarmSink) -> Callable[[TrunklineError], None]:
    """Return what reports an error of the bus as an alarm."""

    def report(error: TrunklineError) -> None:
        alarms.report(
            Condition(
                key=f"bus:{error.code}",
                severity=Severity.MAJOR,
                source="broker",
                text=Text("{text_en}", "{text_zh}"),
                fields={"text_en": error.message("en"), "text_zh": error.message("zh")},
                needs_acknowledgement=True,
            )
        )

    return report


class SecurityKeeper:
    """The adapter that makes the broker's applications equal to those of the store, at each connection."""

    name = "broker-security"

    def __init__(self, security: BrokerSecurity, session: BusSession, applications: ApplicationService) -> None:
        self._security = security
        self._session = session
        self._applications = applications

    async def run(self, reporter: Reporter) -> None:
        """Reconcile once per connection until cancelled."""
        while True:
            connection = await self._session.ready()
            active = [await self._applications.principal(one.name) for one in await self._applications.list()]
            await self._security.reconcile(active)
            reporter.ready()
            await asyncio.wait([connection.lost])


@dataclass(frozen=True, slots=True)
class BusParts:
    """The bus, not yet started; ``adapters`` in the order of their start."""

    session: BusSession
    retained: RetainedState
    intake: CommandIntake
    replay: ReplayService
    adapters: tuple[Adapter, ...]


async def build_bus(  # one name for each part that is joined here
    settings: Settings,
    paths: StatePaths,
    *,
    store: SqlStore,
    board: Board,
    clock: Clock,
    dispatcher: Dispatcher,
    applications: ApplicationService,
    refusals: Refusals,
    security: BrokerSecurity | None,
    health: Callable[[], Sequence[Health]],
    alarms: AlarmSink,
) -> BusParts:
    """Make the session and what lives on it."""
    options = settings.of(BusOptions)
    topics = Topics(options.site)
    on_alarm = alarm_of(alarms)
    login, port = await asyncio.to_thread(_door, options, paths)
    sensitive = sensitive_names(contract().events)
    intake = CommandIntake(dispatcher, applications, refusals, topics, clock, on_alarm=on_alarm)
    retained = RetainedState(
        topics,
        board,
        clock,
        Info(version=version(), site=options.site, epoch=store.epoch, instance=new_id(), started_at=clock.wall()),
        catalog=catalog_of(contract()),
        health=health,
        heartbeat_s=options.heartbeat_s,
        deadline_s=options.deadline_s,
        on_alarm=on_alarm,
    )
    session = BusSession(port, replace(login, will=retained.will), topics, retained, intake)
    intake.publish_over(session)
    relay = OutboxRelay(
        store,
        session,
        topics,
        clock,
        window=options.publish_window,
        sensitive=sensitive,
        on_alarm=on_alarm,
    )
    replay = ReplayService(store, session, topics, clock, sensitive=sensitive)
    keepers = () if security is None else (SecurityKeeper(security, session, applications),)
    return BusParts(session, retained, intake, replay, (session, relay, intake, *keepers))


def _door(options: BusOptions, paths: StatePaths) -> tuple[Login, MqttPort]:
    """Return how to introduce oneself, and where; blocking."""
    port = MqttPort(endpoint_of(options, broker_paths(paths).socket), options)
    if options.broker == "private":
        user, password = GATEWAY_USER, credentials(paths).read(BROKER_GATEWAY)
    else:
        user, password = options.user, "" if options.password is None else options.password.read()
    login = Login(options.stable_client_id, user=user, password=password, session_expiry_s=options.session_expiry_s)
    return login, port
