"""The dispatcher: takes commands from bus, HTTP and command line, and carries each out at most once.

Laws (``tests/unit/gateway/commands/test_laws.py`` tries them with crashes at every step):

1. A command that was accepted is in the ledger, with its audit row, before anybody is told so.
2. For one principal and id, the handler's side effect happens at most once, whatever is sent again or restarted.
3. Every accepted command gets exactly one final state, and that is audited in the transaction that writes it.
4. A side effect whose outcome nobody saw ends as ``unknown``; it is never tried again by itself.

Clocks: a command whose ``expires_at`` has passed on the gateway's clock is refused; one that lies further ahead than
its bound is taken when it is no more than two seconds further (the sender's clock may be ahead), and then ends at the
bound.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from gateway.commands import ledger
from gateway.commands.answers import Answer, AnswerNote, CommandState, Reply, Request, Source, Ticket, error_body
from gateway.commands.endings import Endings, ShownOnce
from gateway.commands.envelope import COMMAND_ID, decode_envelope, readable_id
from gateway.commands.errors import (
    CommandExpiredError,
    CommandsOverloadedError,
    IdConflictError,
    UnreadableCommandError,
)
from gateway.commands.examination import Examined, Examiner
from gateway.commands.execution import Context, Ending, Execution, Work
from gateway.commands.ledger import LedgerEntry
from gateway.commands.options import CommandOptions
from gateway.commands.recovery import PrincipalResolver, Recovery
from gateway.commands.registry import CommandRegistry
from gateway.commands.spec import CommandSpec
from gateway.core.causation import traceparent_of
from gateway.core.clock import Clock
from gateway.core.errors import NotFoundError, TrunklineError, UnavailableError
from gateway.core.ids import new_id
from gateway.principals.audit import AuditBudget, AuditTrail
from gateway.principals.model import Principal, PrincipalKind
from gateway.store.errors import StoreError
from gateway.store.unit import Store, Unit

log = structlog.get_logger(__name__)

_PRUNED_AT_ONCE = 500
_LEFT_ALONE = timedelta(minutes=1)


class CommandDispatcher:
    """Accepts, carries out, answers and remembers commands. It belongs to one event loop."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        options: CommandOptions,
        registry: CommandRegistry,
        audit: AuditTrail,
        *,
        principals: PrincipalResolver,
    ) -> None:
        self._store = store
        self._clock = clock
        self._options = options
        self._registry = registry
        self._audit = audit
        self._examiner = Examiner(registry)
        self._budget = AuditBudget(clock)
        self._slots = asyncio.Semaphore(options.concurrent)
        self._listeners: list[Callable[[AnswerNote], None]] = []
        self._pending: Counter[str] = Counter()
        self._works: dict[tuple[str, str], Work] = {}
        self._executions: dict[tuple[str, str], Execution] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._shown_once = ShownOnce(clock)
        self._endings = Endings(store, clock, audit)
        self._recovery = Recovery(registry, principals, clock)
        self._open = False
        self._settles = False
        self._stopped = False

    def specs(self) -> list[CommandSpec[Any, Any]]:
        """Return every command that there is, by name."""
        return self._registry.specs()

    def on_answer(self, listener: Callable[[AnswerNote], None]) -> Callable[[], None]:
        """Call *listener* on the event loop with every answer, in order: refusals, progress and ends.

        An answer with a final state is durable by then, save a refusal that the bound on refusals left out.
        The returned function ends that.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # Taking commands

    async def accept(
        self,
        principal: Principal,
        name: str,
        payload: bytes,
        *,
        source: Source = Source.BUS,
        reply: Reply | None = None,
        traceparent: str | None = None,
    ) -> Ticket:
        """Take a command in its envelope; return once it is durable, or refused. This is what a PUBACK waits for.

        *reply* (MQTT 5) stands before the envelope's ``reply_to``. Raises only what means "not taken, deliver
        it again": ``StoreError``, and ``UnavailableError`` before it is open and after :meth:`stop`.
        """
        self._require_open()
        request = Request(
            principal=principal,
            name=name,
            command_id="",
            expires_at=None,
            data=b"",
            source=source,
            reply=reply or Reply(),
            traceparent=traceparent_of(traceparent or ""),
        )
        try:
            envelope = decode_envelope(payload)
        except UnreadableCommandError as error:
            request = replace(request, command_id=readable_id(payload) or "")
            return await self._owned(self._refuse(request, error), f"refuse:{name}")
        request = replace(
            request,
            command_id=envelope.id,
            expires_at=envelope.expires_at,
            data=envelope.data,
            incident=envelope.incident,
            reply=reply or Reply(envelope.reply_to or ""),
        )
        return await self._take(request, checked=True)

    async def submit(
        self,
        principal: Principal,
        name: str,
        data: bytes,
        *,
        command_id: str | None = None,
        ttl_s: float | None = None,
        incident: str | None = None,
        traceparent: str | None = None,
    ) -> Answer:
        """Take a command from HTTP or the command line: *data* is its body as JSON; return how far it is.

        Raises the ``TrunklineError`` for which it is refused. :meth:`answer` waits for the end.
        """
        self._require_open()
        now = self._clock.wall()
        request = Request(
            principal=principal,
            name=name,
            command_id=new_id() if command_id is None else command_id,
            expires_at=None if ttl_s is None else now + timedelta(seconds=min(max(ttl_s, 0.0), 1e6)),
            data=data,
            source=Source.LOCAL if principal.kind is PrincipalKind.LOCAL else Source.HTTP,
            incident=incident,
            traceparent=traceparent_of(traceparent or ""),
        )
        ticket = await self._take(request, checked=False)
        if ticket.refusal is not None:
            raise ticket.refusal
        return ticket.answer

    async def answer(self, principal: Principal, command_id: str, *, wait_s: float = 0.0) -> Answer:
        """Return how far a command of *principal* is, waiting up to *wait_s* for its end.

        The first to ask after the end sees the secrets of its result, within a minute. Raises ``NotFoundError``.
        """
        key = (str(principal), command_id)
        work = self._works.get(key)
        if work is not None and wait_s > 0:
            with contextlib.suppress(TimeoutError):
                async with self._clock.timeout(wait_s):
                    await asyncio.wait([work.outcome])
        shown = self._shown_once.take(key)
        if shown is not None:
            return shown
        entry = None
        if COMMAND_ID.fullmatch(command_id) is not None:
            entry = await self._store.read(lambda connection: ledger.find(connection, *key))
        if entry is None:
            raise NotFoundError(what="command", name=command_id[:64])
        return entry.answer

    # Answers that have to reach the bus

    async def pending_answers(self, limit: int = 100) -> Sequence[AnswerNote]:
        """Return final answers to the bus that were not confirmed by :meth:`answer_sent`, oldest first."""
        return await self._store.read(lambda connection: ledger.pending_answers(connection, limit))

    async def answer_sent(self, note: AnswerNote) -> None:
        """Write down that a final answer is with the broker."""
        if note.answer.command_id is not None and note.answer.final:
            await self._store.write(
                lambda unit: ledger.answer_sent(unit.connection, note.principal, note.answer), name="command.answered"
            )

    # Life

    async def recover(self) -> None:
        """Settle what the last life left unfinished (:class:`Recovery` decides), then open."""
        entries = await self._store.read(ledger.unfinished)
        for entry in entries:
            await self._settle(entry)
        self._settles = True
        self._open = True
        if entries:
            log.warning("commands of the last run settled", commands=len(entries))

    def open(self) -> None:
        """Open without settling anything: only what is new is carried out, the rest is the next :meth:`recover`'s."""
        self._open = True

    async def stop(self) -> None:
        """Take no more, cancel what runs and write down how it ended. What was not begun is begun at the next start."""
        self._open, self._stopped = False, True
        self._endings.hurry()
        for execution in self._executions.values():
            execution.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._options.stop_grace_s)
        late = list(self._tasks)
        for task in late:
            task.cancel()
        if late:
            log.error("commands did not end in time", commands=len(late))
            await asyncio.wait(late, timeout=self._options.stop_grace_s)

    async def prune(self) -> int:
        """Forget commands that ended more than ``keep_days`` ago, some hundreds a unit; return how many.

        Also settles rows without work whose time is over: a commit in doubt can leave one. Call it every few minutes.
        """
        now = self._clock.wall()
        for entry in await self._store.read(ledger.unfinished):
            if entry.key not in self._works and entry.expires_at + _LEFT_ALONE < now:
                await self._settle(entry)
        before = now - timedelta(days=self._options.keep_days)
        total = 0
        while count := await self._store.write(
            lambda unit: ledger.prune(unit.connection, before, _PRUNED_AT_ONCE), name="command.prune"
        ):
            total += count
        return total

    # Within

    def _require_open(self) -> None:
        if not self._open:
            raise UnavailableError(part="commands", reason="the gateway is starting or stopping")

    async def _owned(self, work: Coroutine[Any, Any, Ticket], name: str) -> Ticket:
        # A caller that goes away must not tear a write from what follows it.
        task = asyncio.create_task(work, name=name)
        self._keep(task)
        return await asyncio.shield(task)

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_looked_at)

    async def _take(self, request: Request, *, checked: bool) -> Ticket:
        examined = self._examiner.examine(request, self._clock.wall(), checked=checked)
        return await self._owned(self._enter(request, examined), f"accept:{request.name}:{request.command_id}")

    async def _enter(self, request: Request, examined: Examined) -> Ticket:
        principal = str(request.principal)
        refusal = examined.refusal
        if examined.command is None and refusal is not None:
            return await self._refuse(request, refusal)
        if refusal is None and self._overloaded(principal):
            refusal = CommandsOverloadedError()
        left_out = 0 if refusal is None else self._budget.take(principal)
        now = self._clock.wall()
        state, error = _state_of(refusal)
        answer = Answer(request.command_id, request.name, state, now, None, error)
        insert = refusal is None or (left_out is not None and not refusal.retryable)
        note = AnswerNote(principal, request.source, request.reply, answer, in_ledger=insert)
        entry = LedgerEntry(note, examined.digest, examined.kept, request.incident, now, examined.expires_at)
        details = _details(request, refusal, left_out)

        def enter(unit: Unit) -> LedgerEntry | None:
            existing = ledger.find(unit.connection, *entry.key)
            if existing is None:
                if insert:
                    ledger.insert(unit.connection, entry)
                self._audit.record(unit, principal, request.name, examined.resource, state.value, details)
            return existing

        self._pending[principal] += refusal is None
        started = False
        try:
            if left_out is None:  # the bound on refusals: nothing is written
                existing = await self._store.read(lambda connection: ledger.find(connection, *entry.key))
            else:
                existing = await self._store.write(enter, name="command.accept")
            if existing is not None:
                return await self._repeat(existing, request, examined)
            self._notify(note)
            if refusal is not None or examined.command is None or examined.body is None:
                return Ticket(note, refusal)
            deadline = self._clock.monotonic() + (examined.expires_at - self._clock.wall()).total_seconds()
            started = True
            accepted = Work(
                request.principal,
                examined.command,
                examined.body,
                examined.resource,
                entry,
                deadline,
                request.traceparent,
            )
            self._start(accepted)
            return Ticket(note, None, lambda: self._shown(accepted))
        finally:
            if refusal is None and not started:
                self._pending[principal] -= 1

    async def _repeat(self, existing: LedgerEntry, request: Request, examined: Examined) -> Ticket:
        if existing.body_hash != examined.digest:
            return await self._refuse(request, IdConflictError(command_id=request.command_id))
        work = self._works.get(existing.key)
        if work is None and not existing.answer.final and self._settles:
            # Its acceptance was in doubt and nobody was told of it, or its end could not be written.
            settled = await self._settle(existing)
            work = settled if isinstance(settled, Work) else None
            existing = replace(existing, note=replace(existing.note, answer=_standing(existing, settled)))
        note = AnswerNote(
            existing.note.principal, request.source, request.reply, replace(existing.answer, duplicate=True)
        )
        self._notify(note)
        return Ticket(note, None, None if work is None else lambda: self._kept(work))

    async def _settle(self, entry: LedgerEntry) -> Work | Answer:
        decided = await self._recovery.decide(entry)
        running = self._works.get(entry.key)
        if running is not None:
            return running
        if isinstance(decided, Work):
            self._pending[entry.note.principal] += 1
            self._start(decided)
            return decided
        answer = await self._endings.write(entry, decided, self._recovery.resource_of(entry))
        self._notify(replace(entry.note, answer=answer))
        return answer

    async def _refuse(self, request: Request, refusal: TrunklineError) -> Ticket:
        # A refusal that is not in the ledger: nothing could be read, or its id belongs to another command.
        principal = str(request.principal)
        state, error = _state_of(refusal)
        left_out = self._budget.take(principal)
        if left_out is not None:
            details = _details(request, refusal, left_out)
            await self._store.write(
                lambda unit: self._audit.record(unit, principal, request.name, "*", state.value, details),
                name="command.refuse",
            )
        answer = Answer(request.command_id or None, request.name, state, self._clock.wall(), None, error)
        note = AnswerNote(principal, request.source, request.reply, answer, in_ledger=False)
        self._notify(note)
        return Ticket(note, refusal)

    def _overloaded(self, principal: str) -> bool:
        mine, options = self._pending[principal], self._options
        return mine >= options.pending_per_principal or self._pending.total() >= options.pending

    def _start(self, work: Work) -> None:
        context = Context(work, self._store, self._clock, self._notify)
        execution = Execution(work, context, self._slots, self._clock)
        self._works[work.key] = work
        self._executions[work.key] = execution
        work.outcome.add_done_callback(_looked_at)
        run = self._run(work, execution)
        self._keep(asyncio.create_task(run, name=f"run:{work.command.spec.name}:{work.command_id}"))
        if self._stopped:
            execution.stop()

    async def _run(self, work: Work, execution: Execution) -> None:
        try:
            ending = await execution.run(self._options.stop_grace_s)
            if ending is not None:
                await self._finish(work, ending, begun=execution.begun)
        finally:
            del self._works[work.key], self._executions[work.key]
            self._pending[work.key[0]] -= 1
            if not work.outcome.done():
                work.outcome.set_exception(UnavailableError(part="commands", reason="the gateway is stopping"))

    async def _finish(self, work: Work, ending: Ending, *, begun: bool) -> None:
        written = await self._endings.write_patiently(work.entry, ending.kept, work.resource)
        if isinstance(written, StoreError):
            if not begun:
                # It had no effect, and the ledger still says that it may be begun: nothing can be promised.
                work.outcome.set_exception(written)
                return
        elif written != ending.kept:
            ending = Ending(written, written)
        elif work.command.secret_result:
            self._shown_once.put(work.key, ending.shown)
        work.outcome.set_result(ending)
        note = work.entry.note
        self._notify(AnswerNote(note.principal, note.source, note.reply, ending.kept))

    async def _shown(self, work: Work) -> Answer:
        ending = await asyncio.shield(work.outcome)
        self._shown_once.take(work.key)
        return ending.shown

    async def _kept(self, work: Work) -> Answer:
        return (await asyncio.shield(work.outcome)).kept

    def _notify(self, note: AnswerNote) -> None:
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            loop.call_soon(listener, note)


def _standing(entry: LedgerEntry, settled: Work | Answer) -> Answer:
    return entry.answer if isinstance(settled, Work) else settled


def _state_of(refusal: TrunklineError | None) -> tuple[CommandState, dict[str, Any] | None]:
    if refusal is None:
        return CommandState.ACCEPTED, None
    expired = isinstance(refusal, CommandExpiredError)
    return CommandState.EXPIRED if expired else CommandState.REJECTED, error_body(refusal)


def _details(request: Request, refusal: TrunklineError | None, left_out: int | None) -> dict[str, Any]:
    details: dict[str, Any] = {"command": request.command_id[:64], "source": request.source.value}
    if refusal is not None:
        details["error"] = refusal.code
    if left_out:
        details["refusals_left_out"] = left_out
    return details


def _looked_at(done: asyncio.Future[Any]) -> None:
    # Whoever waits gets the exception; that nobody waits is no fault.
    if not done.cancelled():
        done.exception()
