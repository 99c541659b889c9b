"""The book of calls: takes observations from every source, keeps the calls, and writes them down with their events.

The book decides in memory, on the event loop, and so answers at once; the writer behind it puts each change and its
events into one unit of the store, in order, and holds them while the store is away. The gateway is the only writer.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import structlog
from sqlalchemy import exc

from gateway.core.board import Board
from gateway.core.causation import standing_cause
from gateway.core.clock import Clock
from gateway.core.events import Happening
from gateway.core.supervisor import Reporter
from gateway.directory.contact import ContactRef
from gateway.store.errors import StoreError
from gateway.store.unit import Store, Unit
from trunks.telephone.calls import CHANNEL_PREFIX, Call, Observation, Started, Step, id_of_leg, reduce, start
from trunks.telephone.events import LineShown, Party
from trunks.telephone.lines import Lines
from trunks.telephone.options import UNASSIGNED_LINE
from trunks.telephone.repository import CallRepository

log = structlog.get_logger(__name__)

LATE_S = 2.5
"""What is told more than this after it happened, or happened before this start, is told as recovered. CEL is followed
with a longer delay, so all that only CEL has told counts as recovered."""
_MOST_ENDED = 5000  # ended calls that are remembered, so that late observations of them are known as late
_MOST_EARLY = 256  # Linkedids of which something was seen before their call was
_MOST_EARLY_EACH = 32
_MOST_PENDING = 50_000  # changes that wait for the store; beyond it CEL is the memory
_BATCH = 200
_RETRY_S = 0.5


class Lookup(Protocol):
    """Whose number it is (the directory's :meth:`lookup`)."""

    def __call__(self, number: str, /) -> list[ContactRef]:
        """Return contacts, best first, without a wait."""
        ...


@dataclass(frozen=True, slots=True)
class _Change:
    call: Call | None
    told: tuple[Happening, ...]
    durable: asyncio.Future[None]
    cel_position: str | None = None


class CallBook:
    """All calls that matter now. :meth:`load` comes first; :meth:`run` is its writer, an adapter named ``calls``."""

    name = "calls"

    def __init__(
        self,
        store: Store,
        board: Board,
        clock: Clock,
        lines: Lines,
        lookup: Lookup,
        *,
        incident_of: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self._incident_of = incident_of
        self._store = store
        self._board = board
        self._clock = clock
        self._lines = lines
        self._lookup = lookup
        self._calls: dict[str, Call] = {}
        self._legs: dict[str, str] = {}  # Uniqueid and Linkedid -> call id
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._early: OrderedDict[str, list[Observation]] = OrderedDict()
        self._pending: deque[_Change] = deque()
        self._wake = asyncio.Event()
        self._loaded_at: datetime | None = None
        self._since: dict[str, tuple[str, datetime]] = {}

    async def load(self) -> str | None:
        """Read open and recent calls from the store; return how far CEL had been read."""
        self._loaded_at = self._clock.wall()
        calls, position = await self._store.read(
            lambda connection: (CallRepository.remembered(connection), CallRepository.cel_position(connection))
        )
        for call in calls:
            self._remember(call)
            if call.ended_at is None:
                self._lines.adopt(call.id, call.line, outgoing=call.direction == "out")
                if call.answered_at is not None:
                    self._lines.answered(call.id)
        self.show_lines()
        log.info("calls loaded", open=len(self.open()), remembered=len(calls))
        return position

    def open(self) -> list[Call]:
        """Return the calls that have not ended."""
        return [call for call in self._calls.values() if call.ended_at is None]

    def get(self, call_id: str) -> Call | None:
        """Return a call by its id, also one that ended lately."""
        return self._calls.get(call_id)

    async def latest(self, limit: int) -> list[Call]:
        """Return the newest calls as they are written down, the newest first."""
        return await self._store.read(lambda connection: CallRepository.latest(connection, limit))

    def find(self, *legs: str) -> Call | None:
        """Return the call that a Uniqueid or Linkedid belongs to; the first one known decides."""
        for leg in legs:
            call_id = self._legs.get(leg)
            if call_id is not None:
                return self._calls[call_id]
        return None

    def observe(self, seen: Observation) -> Call | None:
        """Take an observation from any source and return its call; None when it belongs to none (yet)."""
        before = self.find(seen.uniqueid, seen.linkedid)
        if before is not None:
            self._take(before, reduce(before, seen))
        elif isinstance(seen, Started):
            self._take(None, self._start(seen))
        call = self.find(seen.uniqueid, seen.linkedid)
        if call is None or (not call.uniqueid and seen.uniqueid not in {"", call.linkedid}):
            self._hold(seen)  # of a leg that is not known yet
        elif before is None or (call.uniqueid and not before.uniqueid):
            for early in self._early.pop(call.linkedid, ()):
                self.observe(early)
        return None if call is None else self._calls[call.id]

    def read_cel_to(self, position: str) -> None:
        """Write down, behind everything observed so far, how far CEL has been read."""
        self._queue(_Change(None, (), self._future(), position))

    async def durable(self) -> None:
        """Wait until everything observed so far is written down. Bound it: the store may be away."""
        if self._pending:
            await asyncio.shield(self._pending[-1].durable)

    def lost(self) -> None:
        """Asterisk is out of sight: idle lines go out of service."""
        self._lines.lost()
        self.show_lines()

    def restored(self) -> None:
        """Asterisk is in sight, and its calls are known."""
        self._lines.restored()
        self.show_lines()

    def show_lines(self) -> None:
        """Put the state of every line on the board."""
        for name in self._lines.names():
            self._show(name)

    async def run(self, reporter: Reporter) -> None:
        """Write changes down until cancelled; what the store refuses for now waits and is written later."""
        reporter.ready()
        size = _BATCH
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._pending:
                batch = [self._pending[index] for index in range(min(size, len(self._pending)))]
                try:
                    await self._store.write(_writing(batch), name="calls")
                    size = _BATCH
                except StoreError as error:
                    reporter.degraded(f"{error.code}: {len(self._pending)} changes wait")
                    await self._clock.sleep(_RETRY_S)
                    continue
                except (exc.SQLAlchemyError, ValueError, TypeError) as error:
                    # One change cannot be written, whatever is done: found one by one, it must not hold up the others.
                    if len(batch) > 1:
                        size = 1
                        continue
                    log.exception("a change of a call cannot be written down", reason=type(error).__name__)
                reporter.ready()
                for change in batch:
                    self._pending.popleft()
                    if not change.durable.done():
                        change.durable.set_result(None)

    def _start(self, seen: Started) -> Step:
        # A leg that was originated here says in its Linkedid which call it is, even if that was never written down.
        ours = seen.linkedid.removeprefix(CHANNEL_PREFIX) if seen.linkedid.startswith(CHANNEL_PREFIX) else ""
        call_id = seen.call_id or ours or id_of_leg(seen.uniqueid)
        number = seen.caller if seen.direction == "in" else seen.called
        contact = next(iter(self._lookup(number)), None) if number else None
        line = self._line_for(seen, call_id)
        return start(seen, call_id=call_id, line=line, contact=contact, cause=standing_cause())

    def _line_for(self, seen: Started, call_id: str) -> str:
        if self._is_late(seen.at):  # it may be over; it takes its line only if that is free
            self._lines.adopt(call_id, seen.line, outgoing=seen.direction == "out")
            return seen.line or UNASSIGNED_LINE
        if seen.direction == "in":
            return self._lines.offer(call_id, seen.line)
        if self._lines.of_call(call_id) is None:
            self._lines.adopt(call_id, seen.line, outgoing=True)
        return seen.line or UNASSIGNED_LINE

    def _take(self, before: Call | None, step: Step) -> None:
        call = step.call
        if call == before:
            return
        late = [self._is_late(at) or call.synthesised for _, at in step.told]
        call = replace(call, recovered=call.recovered or any(late), revision=call.revision + 1)
        self._remember(call)
        told = tuple(
            Happening(
                event=event,
                resource=call.line,
                aggregate=f"call:{call.id}",
                time=at,
                recovered=recovered,
                incident=call.incident or self._incident_of(f"call:{call.id}"),
                causation=call.causation,
                traceparent=call.traceparent,
            )
            for (event, at), recovered in zip(step.told, late, strict=True)
        )
        self._queue(_Change(call, told, self._future()))
        line = self._lines.of_call(call.id)
        if call.ended_at is not None:
            self._lines.cleared(call.id)
        elif call.answered_at is not None and (before is None or before.answered_at is None):
            self._lines.answered(call.id)
        if line is not None:
            self._show(line)

    def _remember(self, call: Call) -> None:
        self._calls[call.id] = call
        for leg in {call.uniqueid, call.linkedid} - {""}:
            self._legs[leg] = call.id
        if call.ended_at is None:
            return
        self._ended[call.id] = None
        while len(self._ended) > _MOST_ENDED:
            oldest, _ = self._ended.popitem(last=False)
            gone = self._calls.pop(oldest)
            for leg in {gone.uniqueid, gone.linkedid} - {""}:
                self._legs.pop(leg, None)

    def _hold(self, seen: Observation) -> None:
        held = self._early.setdefault(seen.linkedid, [])
        if len(held) < _MOST_EARLY_EACH and seen not in held:
            held.append(seen)
        if len(self._early) > _MOST_EARLY:
            self._early.popitem(last=False)

    def _queue(self, change: _Change) -> None:
        if len(self._pending) >= _MOST_PENDING:
            log.error("the store has been away too long, a change of a call is kept by cel alone")
            return
        self._pending.append(change)
        self._wake.set()

    def _show(self, name: str) -> None:
        now = self._lines.now(name)
        call = self._calls.get(now.call) if now.call else None
        key = f"{now.state}:{now.call}"
        if name not in self._since or self._since[name][0] != key:
            self._since[name] = (key, self._clock.wall())
        shown = LineShown(
            state=now.state.value,
            display_name=self._lines.options(name).display_name,
            since=self._since[name][1],
            call=now.call,
            direction=None if call is None else call.direction,
            party=None if call is None else _party(call),
            phone="" if call is None else call.phone,
        )
        self._board.put("tel", name, shown)

    def _is_late(self, at: datetime) -> bool:
        before_us = self._loaded_at is not None and at < self._loaded_at
        return before_us or (self._clock.wall() - at).total_seconds() > LATE_S

    @staticmethod
    def _future() -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()


def _party(call: Call) -> Party:
    who = call.contact
    if who is None:
        return Party(number=call.number)
    return Party(number=call.number, contact=who.id, unit=who.unit, name=who.name, post=who.post)


def _writing(batch: list[_Change]) -> Callable[[Unit], None]:
    def work(unit: Unit) -> None:
        for change in batch:
            if change.call is not None and not CallRepository.put(unit, change.call):
                log.info("a change of a call was already written down", call=change.call.id)
                continue
            for happening in change.told:
                unit.emit(happening)
            if change.cel_position is not None:
                CallRepository.put_cel_position(unit, change.cel_position)

    return work
