"""The one connection of the gateway to its broker, kept by the supervisor as the adapter ``broker``.

Order at each connection: look for a rival (when it is not the first; under another client id, so that the rival is not
thrown out) → connect with the last will → publish all retained state → subscribe to commands → tell ``online`` → let
the outbox go on. Commands that the broker kept may come in before that; they are written to the ledger, and their
answers wait for the connection to be ready. One connection serves events and commands
(``docs/decisions/0003-mqtt-client.md``).
"""

import contextlib
from typing import Protocol

import structlog

from gateway.bus.connections import CurrentConnection
from gateway.bus.port import BusDeniedError, BusError, BusPort, Delivery, Login, is_good
from gateway.bus.retained import RetainedState
from gateway.bus.topics import TopicKind, Topics
from gateway.core.supervisor import Reporter

log = structlog.get_logger(__name__)


class CommandSink(Protocol):
    """What takes commands in."""

    async def take(self, delivery: Delivery) -> None:
        """Return once the command is durable or refused; raise to have it delivered again."""
        ...


class BusSession:
    """Connects, keeps everything retained, hands commands in, and lends the connection to others."""

    name = "broker"

    def __init__(  # noqa: PLR0917  # what it needs, each once
        self,
        port: BusPort,
        login: Login,
        topics: Topics,
        retained: RetainedState,
        commands: CommandSink,
        current: CurrentConnection,
    ) -> None:
        self._port = port
        self._login = login
        self._topics = topics
        self._retained = retained
        self._commands = commands
        self._current = current

    async def run(self, reporter: Reporter) -> None:
        """Serve one connection; raises why it ended, and the supervisor starts it again."""
        if self._retained.is_known:
            look = Login(f"{self._login.client_id}-look", self._login.user, self._login.password, clean_start=True)
            async with self._port.connect(look, self._deliver) as connection:
                await self._retained.look_for_rival(connection)
        async with self._port.connect(self._login, self._deliver) as connection:
            try:
                await self._retained.publish_all(connection)
                reason = await connection.subscribe(self._topics.commands, retain_handling=2)
                if not is_good(reason):
                    raise BusDeniedError(what=f"subscribing to {self._topics.commands}", reason=reason)
                await self._retained.announce(connection)
                self._current.put(connection)
                log.info("broker connected", address=self._port.address, session=connection.welcome.session_present)
                reporter.ready()
                await self._retained.keep(connection)
            finally:
                self._current.clear()
                if not connection.lost.done():
                    with contextlib.suppress(BusError):  # the will says the same
                        await self._retained.say_goodbye(connection)

    async def _deliver(self, delivery: Delivery) -> None:
        topic = self._topics.parse(delivery.topic)
        if topic is not None and topic.kind is TopicKind.COMMAND:
            await self._commands.take(delivery)
        else:
            self._retained.take(delivery)
