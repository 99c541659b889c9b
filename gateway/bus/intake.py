"""Commands from the bus to the dispatcher, and their answers back.

A command is acknowledged to the broker once the ledger holds it, or once it has been refused; so a crash before that
brings it again, and a crash after it finds it in the ledger. Who asks is the ``{app}`` of the topic, which the broker's
rules bind to the credential. Answers go to ``res/{app}/{command id}``, and to the caller's response topic if it lies
under its own ``res/{app}/``. A final answer stays pending in the ledger until the broker took it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from gateway.bus.port import BusConnection, BusDeniedError, BusLostError, Delivery, Publication, is_good
from gateway.bus.relay import Connections
from gateway.bus.topics import TopicKind, Topics
from gateway.commands.answers import Answer, AnswerNote, CommandState, Reply, Source, Ticket, error_body
from gateway.core.clock import Clock
from gateway.core.errors import Kind, TrunklineError
from gateway.core.supervisor import Reporter
from gateway.core.text import Text
from gateway.principals.model import Principal, PrincipalKind

log = structlog.get_logger(__name__)

UNREADABLE = "unreadable"  # the last level of the topic on which a command without a readable id is answered
_MOST_WAITING = 2048
_SWEEP = 256
_POLL_S = 5.0


class RetainedCommandError(TrunklineError):
    """A command was published with the retain flag."""

    code = "command.retained"
    kind = Kind.REFUSED
    cause = Text(
        "A retained command is not carried out: it would be again at every new subscription.",
        "不执行带保留标志的命令：否则每次重新订阅都会再次执行。",
    )
    action = Text("Publish it without the retain flag.", "请去掉保留标志后重新发布。")


class Applications(Protocol):
    """Who the applications are."""

    async def principal(self, name: str) -> Principal:
        """Return the application *name*; raises a ``TrunklineError`` when it is unknown or revoked."""
        ...


class Dispatcher(Protocol):
    """What the intake asks of the commands (:class:`gateway.commands.dispatcher.CommandDispatcher`)."""

    async def submit_envelope(self, principal: Principal, name: str, payload: bytes, reply: Reply) -> Ticket:
        """Return once the command is in the ledger or refused; any bytes are survived. Raises what the store raises."""
        ...

    async def pending_answers(self, limit: int) -> Sequence[AnswerNote]:
        """Return final answers to the bus that nobody has confirmed, oldest first."""
        ...

    async def answer_sent(self, principal: str, command_id: str) -> None:
        """Write down that the final answer has reached the broker."""
        ...

    def listen(self, listener: Callable[[AnswerNote], None]) -> Callable[[], None]:
        """Call *listener* on the event loop at every change of a command's state."""
        ...


class Refusals(Protocol):
    """Where commands that never reached the dispatcher are audited."""

    async def refused(self, application: str, command: str, error: TrunklineError) -> None:
        """Write down that a command was refused."""
        ...


class CommandIntake:
    """Takes commands in and publishes answers. An adapter: :meth:`run` publishes until cancelled."""

    name = "answers"

    def __init__(
        self,
        dispatcher: Dispatcher,
        applications: Applications,
        refusals: Refusals,
        topics: Topics,
        clock: Clock,
        *,
        on_alarm: Callable[[TrunklineError], None] = lambda _: None,
    ) -> None:
        self._dispatcher = dispatcher
        self._applications = applications
        self._refusals = refusals
        self._topics = topics
        self._clock = clock
        self._on_alarm = on_alarm
        self._connections: Connections | None = None
        self._waiting: deque[AnswerNote] = deque()
        self._wake = asyncio.Event()
        self._in_order: dict[str, asyncio.Lock] = {}
        self.dropped = 0

    def publish_over(self, connections: Connections) -> None:
        """Say where connections come from: the session, which itself needs the intake first."""
        self._connections = connections

    # -- in ------------------------------------------------------------------------------------------------------

    async def take(self, delivery: Delivery) -> None:
        """Return once the command is durable or refused. What the store raises has it delivered again."""
        topic = self._topics.parse(delivery.topic)
        if topic is None or topic.kind is not TopicKind.COMMAND or (delivery.retain and not delivery.payload):
            return
        command = f"{topic.domain}.{topic.name}"
        reply = self._reply(topic.app, delivery)
        if delivery.retain:
            await self._refuse(topic.app, command, reply, RetainedCommandError())
            await self._clear(delivery.topic)
            return
        try:
            principal = await self._applications.principal(topic.app)
        except TrunklineError as error:
            if error.kind not in (Kind.NOT_FOUND, Kind.UNAUTHENTICATED, Kind.REFUSED):
                raise
            await self._refuse(topic.app, command, reply, error)
            return
        # Commands of one application are written down in the order in which they came: press before release.
        async with self._in_order.setdefault(topic.app, asyncio.Lock()):
            ticket = await self._dispatcher.submit_envelope(principal, command, delivery.payload, reply)
        self._enqueue(AnswerNote(str(principal), Source.BUS, reply, ticket.answer))

    def _reply(self, app: str, delivery: Delivery) -> Reply:
        own = delivery.response_topic if self._topics.is_answer_of(delivery.response_topic, app) else ""
        return Reply(topic=own, correlation=delivery.correlation)

    async def _refuse(self, app: str, command: str, reply: Reply, error: TrunklineError) -> None:
        log.warning("command refused", application=app, command=command, error=error.code)
        await self._refusals.refused(app, command, error)
        answer = Answer(
            command_id=None,
            name=command,
            state=CommandState.REJECTED,
            at=self._clock.wall(),
            error=error_body(error),
        )
        self._enqueue(AnswerNote(f"{PrincipalKind.APPLICATION}:{app}", Source.BUS, reply, answer))

    async def _clear(self, topic: str) -> None:
        """Take the retained command away from the broker, else it fires at whoever subscribes next."""
        if self._connections is None:
            return
        try:
            async with asyncio.timeout(_POLL_S):
                connection = await self._connections.ready()
                await connection.publish(Publication(topic, b"", retain=True))
        except (TimeoutError, BusLostError) as error:
            log.info("a retained command stays at the broker for now", reason=str(error))

    # -- out -----------------------------------------------------------------------------------------------------

    async def run(self, reporter: Reporter) -> None:
        """Publish answers, and those that a crash or a lost connection left pending."""
        if self._connections is None:
            raise RuntimeError("publish_over was not called")
        end = self._dispatcher.listen(self._hear)
        try:
            while True:
                reporter.degraded("waiting for the broker")
                connection = await self._connections.ready()
                reporter.ready()
                try:
                    await self._serve(connection)
                except BusLostError as error:
                    log.info("answers wait for the broker", reason=error.title())
                await asyncio.sleep(0)
        finally:
            end()

    def _hear(self, note: AnswerNote) -> None:
        if note.source is Source.BUS:
            self._enqueue(note)

    def _enqueue(self, note: AnswerNote) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting.popleft()  # a final one stays pending in the ledger
            self.dropped += 1
        self._waiting.append(note)
        self._wake.set()

    async def _serve(self, connection: BusConnection) -> None:
        await self._sweep(connection)
        while True:
            self._wake.clear()
            while self._waiting:
                note = self._waiting.popleft()
                await self._send(connection, note)
            waiter = asyncio.create_task(self._wake.wait(), name="answers-wake")
            try:
                await asyncio.wait((waiter, connection.lost), return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiter.cancel()
            if connection.lost.done():
                raise BusLostError(reason="while waiting for answers")

    async def _sweep(self, connection: BusConnection) -> None:
        while notes := await self._dispatcher.pending_answers(_SWEEP):
            for note in notes:
                await self._send(connection, note)
            if len(notes) < _SWEEP:
                return

    async def _send(self, connection: BusConnection, note: AnswerNote) -> None:
        app = note.principal.partition(":")[2]
        answer = note.answer
        fixed = self._topics.result(app, answer.command_id or UNREADABLE)
        topics = [fixed]
        if note.reply.topic and note.reply.topic != fixed and self._topics.is_answer_of(note.reply.topic, app):
            topics.append(note.reply.topic)
        payload = answer.encode()
        for topic in topics:
            publication = Publication(
                topic, payload, content_type="application/json", correlation=note.reply.correlation
            )
            reason = await connection.publish(publication)
            if not is_good(reason):
                # Trying again would not help; the ledger keeps the answer for whoever asks with the same id.
                log.error("broker refused an answer", application=app, reason=f"0x{reason:02x}")
                self._on_alarm(BusDeniedError(what=f"an answer to {app}", reason=reason))
        if answer.final and answer.command_id is not None:
            await self._dispatcher.answer_sent(note.principal, answer.command_id)
