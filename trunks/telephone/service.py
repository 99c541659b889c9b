"""What may be done at the switchboard: dial, hang up, ring somebody."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import structlog

from gateway.core.clock import Clock
from gateway.core.errors import TrunklineError
from gateway.core.ids import new_id
from gateway.principals.model import SYSTEM
from trunks.telephone.book import CallBook
from trunks.telephone.calls import CHANNEL_PREFIX, Call, HungUp, Started
from trunks.telephone.dialling import DiallingRules
from trunks.telephone.errors import (
    CallUnknownError,
    DialUnknownError,
    LineNotFreeError,
    NoFreeLineError,
    PositionBusyError,
    PositionUnknownError,
    SwitchboardUnavailableError,
)
from trunks.telephone.lines import Lines
from trunks.telephone.options import UNASSIGNED_LINE
from trunks.telephone.phones import FREE, Phones

log = structlog.get_logger(__name__)

T = TypeVar("T")

_COMMIT_WAIT_S = 2.0
_RING_S = 30.0


class Exchange(Protocol):
    """What places calls (:class:`trunks.telephone.asterisk.AsteriskDriver`)."""

    @property
    def available(self) -> bool: ...  # noqa: D102
    async def originate(self, call: Call, phone: str, digits: str, line: str) -> None: ...  # noqa: D102
    async def hang_up(self, call: Call) -> None: ...  # noqa: D102
    async def ring(  # noqa: D102
        self, channel: str, text: str, *, ring_s: float, call: Call | None = None
    ) -> bool: ...


class TelephoneService:
    """The switchboard as commands, page and other parts use it."""

    def __init__(
        self,
        *,
        exchange: Exchange,
        book: CallBook,
        lines: Lines,
        phones: Phones,
        rules: DiallingRules,
        clock: Clock,
        trunk_endpoint: str,
    ) -> None:
        self._exchange = exchange
        self._book = book
        self._lines = lines
        self._phones = phones
        self._rules = rules
        self._clock = clock
        self._trunk = trunk_endpoint
        self._reserved: set[str] = set()  # phones between the decision to ring them and the call that shows it

    async def dial(
        self,
        number: str,
        *,
        position: str | None,
        line: str | None,
        dialled_by: str,
        begin: Callable[[], Awaitable[None]],
        incident: str | None = None,
    ) -> Call:
        """Ring *position*'s phone and let it dial *number* on *line*; return the call once Asterisk has taken it on.

        Without a position the first free phone is taken, without a line any free one. *begin* is awaited just before
        Asterisk is touched, and what it raises stops the dialling. Raises a ``NotDialableError``, ``tel.position_*``,
        ``tel.no_free_line``, ``tel.line_not_free``, ``tel.unavailable``, ``tel.dial_failed``, ``tel.dial_unknown``.
        """
        dialled = self._rules.rewrite(number)
        if not self._exchange.available:
            raise SwitchboardUnavailableError(reason="there is no session")
        phone = self._position(position)
        call_id = new_id()
        taken = self._seize(call_id, line)
        self._reserved.add(phone)
        try:
            await begin()
            call = self._begin(
                Started(
                    at=self._clock.wall(),
                    uniqueid="",
                    linkedid=CHANNEL_PREFIX + call_id,
                    direction="out",
                    called=dialled.digits,
                    line=taken,
                    phone=phone,
                    call_id=call_id,
                    dialled_by=dialled_by,
                    incident=incident,
                )
            )
        except BaseException:
            self._release(call_id)
            raise
        finally:
            self._reserved.discard(phone)
        await self._written_down()
        await self._place(call, self._exchange.originate(call, phone, dialled.digits, taken))
        return call

    async def hang_up(self, call_id: str, *, begin: Callable[[], Awaitable[None]]) -> Call:
        """End a call. Raises ``tel.call_unknown``, ``tel.unavailable``, ``tel.dial_unknown``."""
        call = self._book.get(call_id)
        if call is None or call.ended_at is not None:
            raise CallUnknownError(call=call_id)
        if not self._exchange.available:
            raise SwitchboardUnavailableError(reason="there is no session")
        await begin()
        await self._exchange.hang_up(call)
        return call

    async def ring(self, number: str, text: str, *, ring_s: float = _RING_S) -> bool:
        """Ring a position's phone, or any number through the trunk, showing *text*; tell whether it was answered.

        For alarms that nobody acknowledges. Raises as :meth:`dial`.
        """
        if number in self._phones:
            return await self._exchange.ring(f"PJSIP/{number}", text, ring_s=ring_s)
        digits = self._rules.rewrite(number).digits
        if not self._exchange.available:
            raise SwitchboardUnavailableError(reason="there is no session")
        call_id = new_id()
        leg = CHANNEL_PREFIX + call_id
        call = self._begin(
            Started(
                at=self._clock.wall(),
                uniqueid=leg,
                linkedid=leg,
                direction="out",
                called=digits,
                line=self._lines.seize(call_id) or UNASSIGNED_LINE,
                call_id=call_id,
                dialled_by=str(SYSTEM),
            )
        )
        channel = f"PJSIP/{digits}@{self._trunk}"
        return await self._place(call, self._exchange.ring(channel, text, ring_s=ring_s, call=call))

    def calls(self) -> list[Call]:
        """Return the calls that are up."""
        return self._book.open()

    async def latest(self, limit: int) -> list[Call]:
        """Return the newest calls as they are written down, the newest first."""
        return await self._book.latest(limit)

    def _position(self, wanted: str | None) -> str:
        known = self._phones.numbers()
        # Asterisk tells that a phone is in use only once it rings; two commands may be decided before that.
        taken = self._reserved | {call.phone for call in self._book.open() if call.phone}
        if wanted is None:
            free = [phone for phone in self._phones.free() if phone not in taken]
            if not free:
                raise PositionBusyError(position=", ".join(known), state="not free")
            return free[0]
        if wanted not in self._phones:
            raise PositionUnknownError(position=wanted, known=", ".join(known))
        state = "in use" if wanted in taken else self._phones.state(wanted)
        if state not in {FREE, ""}:
            raise PositionBusyError(position=wanted, state=state.lower())
        return wanted

    def _seize(self, call_id: str, wanted: str | None) -> str:
        taken = self._lines.seize(call_id, wanted)
        if taken is None:
            if wanted is None:
                raise NoFreeLineError
            reason = self._lines.now(wanted).state.value if wanted in self._lines.names() else "unknown"
            raise LineNotFreeError(line=wanted, reason=reason)
        return taken

    def _release(self, call_id: str) -> None:
        self._lines.cleared(call_id)
        self._book.show_lines()

    async def _written_down(self) -> None:
        try:
            async with self._clock.timeout(_COMMIT_WAIT_S):
                await self._book.durable()
        except TimeoutError:
            log.warning("a call is placed before it is written down")

    def _begin(self, started: Started) -> Call:
        call = self._book.observe(started)
        if call is None:
            raise RuntimeError("a start was not taken")
        return call

    async def _place(self, call: Call, placing: Awaitable[T]) -> T:
        try:
            return await placing
        except DialUnknownError:
            raise  # it may live: AMI, CEL or the next look at the channels will tell
        except TrunklineError as error:
            leg, at = call.linkedid, self._clock.wall()
            self._book.observe(HungUp(at=at, uniqueid=leg, linkedid=leg, cause=None, cause_text=error.code))
            raise
