"""The driver: what the switchboard asks of Asterisk over AMI, and what it hears there.

After each login the calls of both sides are brought together: CEL is read to its end, the live channels are listed,
calls that live there and are unknown here are taken over, and calls that are open here and gone there are closed.
Events flow meanwhile; both ways end in the same observations, which may be taken twice.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from gateway.asterisk.ami import AmiClient
from gateway.asterisk.ami_codec import AmiMessage
from gateway.asterisk.errors import AmiDeadlineError, AmiLostError, AmiRefusedError, AmiUnavailableError
from gateway.core.clock import Clock
from gateway.core.supervisor import Reporter
from trunks.telephone.book import CallBook
from trunks.telephone.calls import CHANNEL_PREFIX, Call, Gone, HungUp, Joined, Started, calls_in
from trunks.telephone.errors import (
    CallUnknownError,
    DialFailedError,
    DialUnknownError,
    SwitchboardUnavailableError,
)
from trunks.telephone.observe import AMI_EVENTS, AmiObserver, Switchboard, endpoint_of
from trunks.telephone.options import UNASSIGNED_LINE, TelephoneOptions
from trunks.telephone.phones import Phones

log = structlog.get_logger(__name__)

_DEADLINE_S = 5.0
_SETTLE_S = 0.5  # CEL writes a hang-up a moment after the channel is gone
_LOOK_AGAIN_S = 30.0
_YOUNG_S = 10.0  # a call may be placed and not yet have a channel
_MOST_OUTCOMES = 256
# Why an Originate failed (Asterisk's control frame) as a Q.850 cause.
_REASONS = {"0": 20, "1": 19, "3": 19, "5": 17, "8": 34}


class Telling(Protocol):
    """CEL, read to its end (:class:`trunks.telephone.cel.CelFollower`)."""

    async def catch_up(self) -> None:
        """Take every record that is there."""
        ...


class AsteriskDriver:
    """Places, ends and takes over calls. :meth:`attach` comes before the AMI client is started."""

    name = "telephone"

    def __init__(
        self,
        *,
        options: TelephoneOptions,
        ami: AmiClient,
        cel: Telling,
        book: CallBook,
        phones: Phones,
        board: Switchboard,
        clock: Clock,
    ) -> None:
        self._options = options
        self._ami = ami
        self._cel = cel
        self._book = book
        self._phones = phones
        self._board = board
        self._clock = clock
        self._observer = AmiObserver(board)
        self._ready = False
        self._lost_at: datetime | None = None
        self._outcomes: OrderedDict[str, asyncio.Future[AmiMessage]] = OrderedDict()
        self._gap = asyncio.Event()

    @property
    def available(self) -> bool:
        """Whether calls can be placed and ended now."""
        return self._ready and self._ami.connected

    def attach(self) -> None:
        """Subscribe to what AMI tells."""
        self._ami.subscribe(*AMI_EVENTS, handler=self._on_event)
        self._ami.subscribe("DeviceStateChange", handler=self._on_device)
        self._ami.subscribe("OriginateResponse", handler=self._on_outcome)
        self._ami.on_session(self._on_session)
        self._ami.on_lost(self._on_lost)
        self._ami.on_gap(lambda _: self._gap.set())

    async def originate(self, call: Call, phone: str, digits: str, line: str) -> None:
        """Ring *phone* and let it dial *digits* on *line* as *call*; returns when Asterisk has taken it on.

        Never repeated. Raises :class:`SwitchboardUnavailableError` (nothing was sent), :class:`DialFailedError`
        (refused), :class:`DialUnknownError` (no answer).
        """
        variables = [f"__TL_CALL={call.id}", f"__TL_LINE={line}", f"TL_TRUNK=PJSIP/%s@{self._options.trunk_endpoint}"]
        outcome = await self._originate(
            Channel=f"PJSIP/{phone}",
            Context="tl-dial",
            Exten=digits,
            Timeout=str(self._options.dial_ring_s * 1000),
            CallerID=f'"{_display("" if call.contact is None else call.contact.label)}" <{digits}>',
            ChannelId=call.linkedid,
            Variable=variables,
        )
        outcome.add_done_callback(lambda done: self._placed(call, done))

    async def ring(self, channel: str, text: str, *, ring_s: float, call: Call | None = None) -> bool:
        """Ring *channel* (``PJSIP/101``), showing *text*; tell whether it was answered. Raises as :meth:`originate`.

        A channel on the trunk belongs to a *call*.
        """
        headers = {} if call is None else {"ChannelId": call.linkedid}
        outcome = await self._originate(
            Channel=channel,
            Context="tl-ring",
            Exten="s",
            Timeout=str(int(ring_s * 1000)),
            CallerID=f'"{_display(text)}" <0>',
            **headers,
        )
        if call is not None:
            outcome.add_done_callback(lambda done: self._placed(call, done))
        try:
            async with self._clock.timeout(ring_s + _DEADLINE_S):
                return (await outcome).get("Response") == "Success"
        except TimeoutError as error:
            raise DialUnknownError from error

    async def hang_up(self, call: Call) -> None:
        """End *call*. Raises ``tel.unavailable``, ``tel.call_unknown``, ``tel.dial_unknown``."""
        leg = call.uniqueid or call.linkedid
        try:
            await self._ami.action("Hangup", deadline_s=_DEADLINE_S, Channel=leg, Cause="16")
        except AmiRefusedError as error:
            raise CallUnknownError(call=call.id) from error
        except AmiUnavailableError as error:
            raise SwitchboardUnavailableError(reason=error.as_text()) from error
        except (AmiDeadlineError, AmiLostError) as error:
            raise DialUnknownError from error

    async def reconcile(self) -> None:
        """Bring the calls of Asterisk and of the book together."""
        await self._cel.catch_up()
        open_before = self._book.open()
        legs = await self._adopt_live()
        gone = [call for call in open_before if self._is_gone(call, legs)]
        if gone:
            await self._clock.sleep(_SETTLE_S)
            await self._cel.catch_up()
        for call in gone:
            at = max(self._lost_at or self._clock.wall(), call.started_at)
            text = "gone when Asterisk was seen again"
            self._book.observe(Gone(at=at, uniqueid=call.uniqueid, linkedid=call.linkedid, reason=text))

    async def run(self, reporter: Reporter) -> None:
        """Reconcile whenever AMI may have missed something, and from time to time; an adapter named ``telephone``."""
        while True:
            if self.available:
                reporter.ready()
            else:
                reporter.degraded("Asterisk is out of sight")
            with contextlib.suppress(TimeoutError):
                async with self._clock.timeout(_LOOK_AGAIN_S):
                    await self._gap.wait()
            self._gap.clear()
            if self.available:
                await self.reconcile()

    async def _on_session(self) -> None:
        await self.reconcile()
        for device in await self._ami.list_action("DeviceStateList", deadline_s=_DEADLINE_S):
            self._phones.apply(device.get("Device"), device.get("State"))
        self._ready = True
        self._lost_at = None
        self._book.restored()
        self._gap.set()  # shows at once that it is ready

    def _on_lost(self, reason: str) -> None:
        log.warning("asterisk is out of sight", reason=reason, open_calls=len(self._book.open()))
        self._ready = False
        self._lost_at = self._clock.wall()
        self._book.lost()
        self._gap.set()

    def _on_event(self, message: AmiMessage) -> None:
        for seen in self._observer.observe(message, self._clock.wall()):
            self._book.observe(seen)

    def _on_device(self, message: AmiMessage) -> None:
        self._phones.apply(message.get("Device"), message.get("State"))

    def _on_outcome(self, message: AmiMessage) -> None:
        outcome = self._outcome(message.action_id)
        if not outcome.done():
            outcome.set_result(message)

    def _outcome(self, action_id: str) -> asyncio.Future[AmiMessage]:
        """The outcome of an Originate, whether its answer or its response comes first."""
        outcome = self._outcomes.setdefault(action_id, asyncio.get_running_loop().create_future())
        while len(self._outcomes) > _MOST_OUTCOMES:
            _, forgotten = self._outcomes.popitem(last=False)
            forgotten.cancel()
        return outcome

    async def _originate(self, **headers: str | Sequence[str]) -> asyncio.Future[AmiMessage]:
        if not self.available:
            raise SwitchboardUnavailableError(reason="there is no session")
        try:
            answer = await self._ami.action("Originate", deadline_s=_DEADLINE_S, Priority="1", Async="true", **headers)
        except AmiRefusedError as error:
            raise DialFailedError(reason=error.as_text()) from error
        except AmiUnavailableError as error:
            raise SwitchboardUnavailableError(reason=error.as_text()) from error
        except AmiLostError as error:
            if not error.outcome_unknown:
                raise SwitchboardUnavailableError(reason=error.as_text()) from error
            raise DialUnknownError from error
        except AmiDeadlineError as error:
            raise DialUnknownError from error
        return self._outcome(answer.action_id)

    def _placed(self, call: Call, outcome: asyncio.Future[AmiMessage]) -> None:
        if outcome.cancelled() or outcome.result().get("Response") == "Success":
            return
        reason = outcome.result().get("Reason")
        self._book.observe(
            HungUp(
                at=self._clock.wall(),
                uniqueid=call.linkedid,
                linkedid=call.linkedid,
                cause=_REASONS.get(reason),
                cause_text="not answered",
            )
        )

    async def _adopt_live(self) -> set[str]:
        """Take over every live leg on the trunk; return the Uniqueids of all channels."""
        channels = await self._ami.list_action("CoreShowChannels", deadline_s=_DEADLINE_S)
        trunk = [channel for channel in channels if endpoint_of(channel.get("Channel")) == self._board.trunk]
        for channel in trunk:
            if self._book.find(channel.get("Uniqueid")) is None:
                await self._adopt(channel)
        for channel in channels:
            phone = endpoint_of(channel.get("Channel"))
            if phone in self._phones and channel.get("BridgeId"):
                uniqueid, linkedid = channel.get("Uniqueid"), channel.get("Linkedid")
                at = self._clock.wall()
                self._book.observe(Joined(at=at, uniqueid=uniqueid, linkedid=linkedid, phone=phone))
        return {channel.get("Uniqueid") for channel in channels}

    async def _adopt(self, channel: AmiMessage) -> None:
        uniqueid, linkedid = channel.get("Uniqueid"), channel.get("Linkedid")
        outgoing = not calls_in(uniqueid, linkedid)
        try:
            answer = await self._ami.action(
                "Getvar", deadline_s=_DEADLINE_S, Channel=channel.get("Channel"), Variable="TL_LINE"
            )
        except AmiRefusedError:  # it has hung up meanwhile, and CEL knows
            return
        line = answer.get("Value") or UNASSIGNED_LINE
        self._book.observe(
            Started(
                at=self._clock.wall() - _duration(channel.get("Duration")),
                uniqueid=uniqueid,
                linkedid=linkedid,
                direction="out" if outgoing else "in",
                caller="" if outgoing else channel.get("CallerIDNum"),
                called=channel.get("CallerIDNum") if outgoing else "",
                line=line,
            )
        )
        log.info("a live call was taken over", linkedid=linkedid, line=line)

    def _is_gone(self, call: Call, legs: set[str]) -> bool:
        if (call.uniqueid or call.linkedid) in legs:
            return False
        young = self._clock.wall() - call.started_at < timedelta(seconds=_YOUNG_S)
        # Only a call that is being placed by this session may be young and without a channel.
        return not (young and self._ready and call.linkedid.startswith(CHANNEL_PREFIX) and not call.uniqueid)


def _display(text: str) -> str:
    """A name for a telephone's display that cannot end its own quotes."""
    return "".join(char for char in text if char.isprintable() and char not in '"<>\\')[:60]


def _duration(text: str) -> timedelta:
    """``00:01:09`` as Asterisk writes the age of a channel."""
    parts = text.split(":")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return timedelta(0)
    hours, minutes, seconds = (int(part) for part in parts)
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)
