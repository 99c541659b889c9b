"""What the bus needs from outside: the door to the broker, the keeper of its credentials, and who hears its errors."""

import asyncio
from collections.abc import Callable, Sequence

from config.settings import Settings
from gateway.app.credentials import broker_paths, credentials
from gateway.app.paths import StatePaths
from gateway.bus.broker import GATEWAY_USER
from gateway.bus.connections import Connections
from gateway.bus.dynsec import BrokerSecurity
from gateway.bus.mqtt import MqttPort, endpoint_of
from gateway.bus.options import BusOptions
from gateway.bus.port import Login
from gateway.bus.repository import CredentialRepository
from gateway.core.alarm import AlarmSink, Condition, Severity
from gateway.core.errors import TrunklineError
from gateway.core.supervisor import Reporter
from gateway.core.text import Text
from gateway.principals.applications import ApplicationService
from gateway.store.store import SqlStore

BROKER_ADMIN = "broker-admin"
BROKER_GATEWAY = "broker-gateway"
BROKER_SESSION = "broker-session"
"""Names of the credentials at the private broker; the last one is the secret end of the gateway's client id."""


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
    """The adapter that makes the broker's applications equal to those of the store.

    At each connection, and when the broker could not be told of a change.
    """

    name = "broker-security"

    def __init__(self, security: BrokerSecurity, connections: Connections, applications: ApplicationService) -> None:
        self._security = security
        self._connections = connections
        self._applications = applications

    async def run(self, reporter: Reporter) -> None:
        """Reconcile until cancelled; a failure is the supervisor's, which has it tried again."""
        while True:
            connection = await self._connections.ready()
            await self._security.reconcile(await self._applications.active())
            reporter.ready()
            behind = asyncio.create_task(self._security.behind.wait(), name="broker-security-behind")
            try:
                await asyncio.wait((connection.lost, behind), return_when=asyncio.FIRST_COMPLETED)
            finally:
                behind.cancel()


def bus_door(options: BusOptions, paths: StatePaths) -> tuple[Login, MqttPort]:
    """Return how to introduce oneself, and where. Blocking: reads a credential and certificates."""
    port = MqttPort(endpoint_of(options, broker_paths(paths).socket), options)
    if options.broker == "private":
        kept = credentials(paths)
        # A broker gives a session to whoever names its client id, whatever the user: no application may know this one.
        client_id = options.client_id or f"{options.stable_client_id}-{kept.read(BROKER_SESSION)}"
        user, password = GATEWAY_USER, kept.read(BROKER_GATEWAY)
    else:
        client_id = options.stable_client_id
        user, password = options.user, "" if options.password is None else options.password.read()
    return Login(client_id, user=user, password=password), port
