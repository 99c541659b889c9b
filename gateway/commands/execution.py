"""Carrying out one command: its deadline, its one side effect, and the judgement of how it ended.

How it ended is read off this table; *begun* means that ``begin_side_effect`` has returned to the handler.

==========================  ==================  ==============================================
the handler                 not begun           begun
==========================  ==================  ==============================================
returned a result           succeeded           succeeded
raised a TrunklineError     failed              failed; ``unknown`` when its kind says so
raised anything else        failed (internal)   unknown (internal)
ran into its deadline       expired             unknown
was cancelled by a stop     left as accepted    unknown
==========================  ==================  ==============================================
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
import structlog

from gateway.commands import ledger
from gateway.commands.answers import Answer, AnswerNote, CommandState, error_body
from gateway.commands.errors import CommandExpiredError, OutcomeUnknownError
from gateway.commands.ledger import LedgerEntry
from gateway.commands.registry import RegisteredCommand
from gateway.core.causation import Cause, caused_by
from gateway.core.clock import Clock
from gateway.core.errors import InternalError, Kind, TrunklineError
from gateway.core.events import Message
from gateway.principals.model import Principal
from gateway.store.unit import Store, Unit

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a command ended: what is shown to who asked, and what is kept (without secrets)."""

    shown: Answer
    kept: Answer


@dataclass(slots=True, eq=False)
class Work:
    """A command that is accepted and not finished. ``outcome`` becomes done when its ending is durable."""

    principal: Principal
    command: RegisteredCommand
    body: Message
    resource: str
    entry: LedgerEntry
    deadline: float
    traceparent: str | None = None
    outcome: asyncio.Future[Ending] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def key(self) -> tuple[str, str]:
        """What the ledger knows it by."""
        return self.entry.key

    @property
    def command_id(self) -> str:
        """The idempotency key."""
        return self.entry.key[1]


class Context:
    """What the handler of one command is given (:class:`gateway.commands.spec.CommandContext`)."""

    def __init__(self, work: Work, store: Store, clock: Clock, notify: Callable[[AnswerNote], None]) -> None:
        self._work = work
        self._store = store
        self._clock = clock
        self._notify = notify
        self._asked = False
        self.begun = False

    @property
    def command_id(self) -> str:
        """The idempotency key."""
        return self._work.command_id

    @property
    def principal(self) -> Principal:
        """Who asked for it."""
        return self._work.principal

    @property
    def expires_at(self) -> datetime:
        """The time after which it must not take effect any more, UTC."""
        return self._work.entry.expires_at

    @property
    def incident(self) -> str | None:
        """The incident that it belongs to."""
        return self._work.entry.incident

    async def begin_side_effect(self) -> None:
        """See :meth:`gateway.commands.spec.CommandContext.begin_side_effect`."""
        if self._asked:
            raise RuntimeError("begin_side_effect was called twice")
        self._asked = True
        self._check_deadline()
        principal, command_id = self._work.key

        def work(unit: Unit) -> bool:
            return ledger.begin(unit.connection, principal, command_id, unit.now)

        if not await self._store.write(work, name="command.begin"):
            raise InternalError(what=f"command {command_id} is not in the ledger as accepted")
        self._check_deadline()  # the disk may have taken its time
        self.begun = True  # nothing waits between here and the handler
        note = self._work.entry.note
        answer = Answer(command_id, note.answer.name, CommandState.IN_PROGRESS, self._clock.wall())
        self._notify(AnswerNote(note.principal, note.source, note.reply, answer))

    def _check_deadline(self) -> None:
        # Both clocks: the time of day may be set while a command waits.
        if self._clock.wall() >= self.expires_at or self._clock.monotonic() >= self._work.deadline:
            raise CommandExpiredError


class Execution:
    """One run of a command's handler, in a task of its own."""

    def __init__(self, work: Work, context: Context, slots: asyncio.Semaphore, clock: Clock) -> None:
        self._work = work
        self._context = context
        self._slots = slots
        self._clock = clock
        self._timed_out = False
        self._stopped = False
        name = f"command:{work.command.spec.name}:{work.command_id}"
        self._handler = asyncio.create_task(self._handle(), name=name)

    @property
    def begun(self) -> bool:
        """Whether the outside may have been touched."""
        return self._context.begun

    def stop(self) -> None:
        """Cancel the handler, because the gateway stops."""
        self._stopped = True
        self._handler.cancel()

    async def run(self, grace_s: float) -> Ending | None:
        """Wait for the handler, at most until the deadline, and tell how it ended; ``None`` leaves it accepted."""
        try:
            async with self._clock.timeout(max(0.0, self._work.deadline - self._clock.monotonic())):
                await asyncio.wait([self._handler])  # being cancelled here leaves the handler alone
        except TimeoutError:
            self._timed_out = not self._handler.done()
            self._handler.cancel()
            await asyncio.wait([self._handler], timeout=grace_s)
        return self._judge()

    async def _handle(self) -> Message:
        async with self._slots:
            with caused_by(Cause(self._work.command_id, self._work.traceparent)):
                result: Message = await self._work.command.handler(self._work.body, self._context)
            return result

    def _judge(self) -> Ending | None:
        name = self._work.command.spec.name
        if not self._handler.done():
            log.error("command does not let go", command=name, command_id=self._work.command_id)
            return self._cut_short()
        if self._handler.cancelled():
            return self._cut_short()
        error = self._handler.exception()
        return self._succeeded(self._handler.result()) if error is None else self._raised(error)

    def _cut_short(self) -> Ending | None:
        if self.begun:
            return self._ended(CommandState.UNKNOWN, OutcomeUnknownError(name=self._work.command.spec.name))
        if self._timed_out:
            return self._ended(CommandState.EXPIRED, CommandExpiredError())
        return None if self._stopped else self._ended(CommandState.FAILED, self._internal())

    def _raised(self, error: BaseException) -> Ending:
        if isinstance(error, CommandExpiredError) and not self.begun:
            return self._ended(CommandState.EXPIRED, error)
        if isinstance(error, TrunklineError):
            unsure = self.begun and error.kind is Kind.UNKNOWN_OUTCOME
            return self._ended(CommandState.UNKNOWN if unsure else CommandState.FAILED, error)
        log.error(
            "command crashed", command=self._work.command.spec.name, command_id=self._work.command_id, exc_info=error
        )
        return self._ended(CommandState.UNKNOWN if self.begun else CommandState.FAILED, self._internal())

    def _succeeded(self, result: Message) -> Ending:
        shown = self._answer(CommandState.SUCCEEDED, result=msgspec.json.encode(result))
        redacted = msgspec.json.encode(self._work.command.redacted(result))
        return Ending(shown, self._answer(CommandState.SUCCEEDED, result=redacted))

    def _ended(self, state: CommandState, error: TrunklineError) -> Ending:
        answer = self._answer(state, error=error)
        return Ending(answer, answer)

    def _internal(self) -> TrunklineError:
        return InternalError(what=f"command {self._work.command_id}")

    def _answer(
        self, state: CommandState, *, result: bytes | None = None, error: TrunklineError | None = None
    ) -> Answer:
        body = None if error is None else error_body(error)
        return Answer(self._work.command_id, self._work.command.spec.name, state, self._clock.wall(), result, body)
