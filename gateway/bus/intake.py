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

from gateway.bus.connections import Connections
from gateway.bus.port import BusConnection, BusDeniedError, BusLostError, Delivery, Publication, is_good, lost_by
from gateway.bus.topics import TopicKind, Topics
from gateway.commands.answers import Answer, AnswerNote, CommandState, Reply, Source, Ticket, error_body
from gateway.commands.envelope import readable_id
from gateway.core.clock import Clock
from gateway.core.errors import Kind, TrunklineError
from gateway.core.supervisor import Reporter
from gateway.core.text import Text
from gateway.principals.audit import AuditBudget, AuditTrail
from gateway.principals.model import Principal, PrincipalKind
from gateway.store.unit import Store

log = structlog.get_logger(__name__)

UNREADABLE = "unreadable"  # the last level of the topic on which a command without a readable id is answered
_MOST_WAITING = 2048
_SWEEP = 256
_TOGETHER = 32
_LANES = 64


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

    async def accept(
        self,
        principal: Principal,
        name: str,
        payload: bytes,
        *,
        reply: Reply | None = None,
        traceparent: str | None = None,
    ) -> Ticket:
        """Return once the command is durable or refused; any bytes are survived. Raises what the store raises."""
        ...

    async def pending_answers(self, limit: int = 100) -> Sequence[AnswerNote]:
        """Return final answers to the bus that nobody has confirmed, oldest first."""
        ...

    async def answer_sent(self, note: AnswerNote) -> None:
        """Write down that a final answer is with the broker."""
        ...

    def on_answer(self, listener: Callable[[AnswerNote], None]) -> Callable[[], None]:
        """Call *listener* on the event loop with every answer, in order."""
        ...


class CommandIntake:
    """Takes commands in and publishes answers. An adapter: :meth:`run` publishes until cancelled."""

    name = "answers"

    def __init__(  # noqa: PLR0917  # what it needs, each once
        self,
        dispatcher: Dispatcher,
        applications: Applications,
        store: Store,
        audit: AuditTrail,
        topics: Topics,
        clock: Clock,
        connections: Connections,
        *,
        on_alarm: Callable[[TrunklineError], None] = lambda _: None,
    ) -> None:
        self._dispatcher = dispatcher
        self._applications = applications
        self._store = store
        self._audit = audit
        self._budget = AuditBudget(clock)
        self._topics = topics
        self._clock = clock
        self._on_alarm = on_alarm
        self._connections = connections
        self._waiting: deque[AnswerNote] = deque()
        self._wake = asyncio.Event()
        self._retained: deque[str] = deque(maxlen=_MOST_WAITING)  # topics that are to be cleared at the broker
        self._lanes = [asyncio.Lock() for _ in range(_LANES)]
        self._overflowed = False
        self.answers_dropped = 0
        """Answers pushed out of the full queue; a final one is fetched from the ledger again."""
        self._end_listening = dispatcher.on_answer(self._hear)

    # -- in ------------------------------------------------------------------------------------------------------

    async def take(self, delivery: Delivery) -> None:
        """Return once the command is durable or refused. What the store raises has it delivered again."""
        topic = self._topics.parse(delivery.topic)
        if topic is None or topic.kind is not TopicKind.COMMAND or (delivery.retain and not delivery.payload):
            return
        command = f"{topic.domain}.{topic.name}"
        reply = self._reply(topic.app, delivery)
        # One lane for an application, so that what it sends is written down as it came: press before release.
        async with self._lanes[hash(topic.app) % _LANES]:
            if delivery.retain:
                await self._refuse(topic.app, command, delivery.payload, reply, RetainedCommandError())
                self._retained.append(delivery.topic)
                return
            try:
                principal = await self._applications.principal(topic.app)
            except TrunklineError as error:
                if error.kind not in (Kind.NOT_FOUND, Kind.UNAUTHENTICATED, Kind.REFUSED):
                    raise
                await self._refuse(topic.app, command, delivery.payload, reply, error)
                return
            traceparent = next((value for name, value in delivery.user if name == "traceparent"), None)
            await self._dispatcher.accept(principal, command, delivery.payload, reply=reply, traceparent=traceparent)

    def _reply(self, app: str, delivery: Delivery) -> Reply | None:
        if not self._topics.is_answer_of(delivery.response_topic, app):
            return None
        return Reply(topic=delivery.response_topic, correlation=delivery.correlation)

    async def _refuse(self, app: str, command: str, payload: bytes, reply: Reply | None, error: TrunklineError) -> None:
        """Refuse what never reaches the dispatcher: bounded in the audit trail, answered."""
        principal = f"{PrincipalKind.APPLICATION}:{app}"
        left_out = self._budget.take(principal)
        if left_out is not None:
            log.warning("command refused", application=app, command=command, error=error.code)
            details = {"error": error.code, **({"left_out": left_out} if left_out else {})}
            await self._store.write(
                lambda unit: self._audit.record(unit, principal, command, "*", "rejected", details),
                name="bus.refuse",
            )
        answer = Answer(
            readable_id(payload), command, CommandState.REJECTED, self._clock.wall(), error=error_body(error)
        )
        self._hear(AnswerNote(principal, Source.BUS, reply or Reply(), answer, in_ledger=False))

    # -- out -----------------------------------------------------------------------------------------------------

    async def run(self, reporter: Reporter) -> None:
        """Publish answers, and those that a crash or a lost connection left pending."""
        while True:
            reporter.degraded("waiting for the broker")
            connection = await self._connections.ready()
            reporter.ready()
            try:
                await self._serve(connection)
            except BusLostError as error:
                log.info("answers wait for the broker", reason=error.title())
            await asyncio.sleep(0)  # let the session notice the loss too

    def close(self) -> None:
        """Stop listening to the dispatcher."""
        self._end_listening()

    def _hear(self, note: AnswerNote) -> None:
        if note.source is not Source.BUS:
            return
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting.popleft()  # a final one stays pending in the ledger, and is fetched from there
            self._overflowed = True
            self.answers_dropped += 1
        self._waiting.append(note)
        self._wake.set()

    async def _serve(self, connection: BusConnection) -> None:
        # The ledger knows every final answer that is still owed; those that wait here as well would come twice.
        self._waiting = deque(note for note in self._waiting if not _is_kept(note))
        await self._sweep(connection)
        while True:
            self._wake.clear()
            while self._retained:
                await connection.publish(Publication(self._retained[0], b"", retain=True))
                self._retained.popleft()
            while self._waiting:
                together = [self._waiting.popleft() for _ in range(min(_TOGETHER, len(self._waiting)))]
                try:
                    await self._send(connection, together)
                except BusLostError:
                    self._waiting.extendleft(reversed(together))
                    raise
            if self._overflowed:
                self._overflowed = False
                await self._sweep(connection)
            waiter = asyncio.create_task(self._wake.wait(), name="answers-wake")
            try:
                await asyncio.wait((waiter, connection.lost), return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiter.cancel()
            if connection.lost.done():
                raise lost_by(connection.lost.result())

    async def _sweep(self, connection: BusConnection) -> None:
        while notes := await self._dispatcher.pending_answers(_SWEEP):
            await self._send(connection, notes)
            if len(notes) < _SWEEP:
                return

    async def _send(self, connection: BusConnection, notes: Sequence[AnswerNote]) -> None:
        """Publish *notes* in order, then write down together which of them are no longer owed."""
        for note in notes:
            await self._publish(connection, note)
        await asyncio.gather(*(self._dispatcher.answer_sent(note) for note in notes if _is_kept(note)))

    async def _publish(self, connection: BusConnection, note: AnswerNote) -> None:
        app = note.principal.partition(":")[2]
        fixed = self._topics.result(app, note.answer.command_id or UNREADABLE)
        topics = [fixed]
        if note.reply.topic and note.reply.topic != fixed and self._topics.is_answer_of(note.reply.topic, app):
            topics.append(note.reply.topic)
        payload = note.answer.encode()
        for topic in topics:
            publication = Publication(
                topic, payload, content_type="application/json", correlation=note.reply.correlation
            )
            reason = await connection.publish(publication)
            if not is_good(reason):
                # Trying again would not help; the ledger keeps the answer for whoever asks with the same id.
                log.error("broker refused an answer", application=app, reason=f"0x{reason:02x}")
                self._on_alarm(BusDeniedError(what=f"an answer to {app}", reason=reason))


def _is_kept(note: AnswerNote) -> bool:
    """Tell whether the ledger holds this answer as owed."""
    return note.in_ledger and note.answer.final
