"""The driver of one SMS modem, a supervised adapter.

It looks for its modem at the ports given, knows it by IMEI and IMSI, brings it into the network, takes segments to send
and hands in what arrives: a message or report is deleted or acknowledged at the modem only after the sink has made it
durable, so that a crash brings it again and never loses it.
Source: 3GPP TS 27.005, TS 27.007.
"""

import asyncio
import glob
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import structlog
from msgspec.structs import replace

from gateway.core.board import Board
from gateway.core.clock import Clock
from gateway.core.events import Message
from gateway.core.supervisor import Reporter
from sms.at import Command, Reply, Unsolicited
from sms.bringup import BringUp, bare
from sms.causes import Cure, cause_of, cure_of
from sms.errors import (
    ModemAbsentError,
    ModemLostError,
    ModemNotReadyError,
    ModemRefusedError,
    ModemSilentError,
    PduError,
    SendRefusedError,
    SendUnknownError,
    SimLockedError,
)
from sms.link import ModemLink
from sms.options import Modem, SmsOptions
from sms.pdu import Deliver, StatusReport, Submit, decode, encode, encode_tpdu, from_hex
from sms.serial_port import Port, open_serial

log = structlog.get_logger(__name__)

_REGISTERED = ("1", "5")
_UNKNOWN_SIGNAL = 99


class ModemState(Message, frozen=True, kw_only=True):
    """A modem on the board. ``sim`` is a digest of the IMSI; ``signal_dbm`` is null when there is none."""

    state: str
    reason: str = ""
    model: str = ""
    imei: str = ""
    sim: str = ""
    operator: str = ""
    signal_dbm: int | None = None
    reports: bool = False


@dataclass(frozen=True, slots=True)
class Arrived:
    """Where and when something arrived. ``raw`` is the PDU as hexadecimal digits."""

    modem: str
    sim: str
    at: datetime
    raw: str


class Sink(Protocol):
    """Who takes what arrives. Each call returns once it is durable, and is repeated after a crash."""

    async def received(self, arrived: Arrived, message: Deliver) -> None:
        """Take a message, one segment of it."""
        ...

    async def reported(self, arrived: Arrived, report: StatusReport) -> None:
        """Take a status report."""
        ...

    async def called(self, arrived: Arrived, caller: str) -> None:
        """Take note of a voice call that nobody answers; *caller* is empty when it is withheld."""
        ...


Opener = Callable[[str, int], Awaitable[Port]]


class ModemDriver:
    """One modem. ``name`` is its resource on the bus."""

    def __init__(
        self,
        name: str,
        modem: Modem,
        options: SmsOptions,
        *,
        sink: Sink,
        board: Board,
        clock: Clock,
        open_port: Opener = open_serial,
    ) -> None:
        self.name = name
        self._modem = modem
        self._options = options
        self._sink = sink
        self._board = board
        self._clock = clock
        self._open_port = open_port
        self._link: ModemLink | None = None
        self._up = BringUp(name, modem, clock, self._learn)
        self._searching_since: float | None = None
        self._ringing: tuple[str, float, datetime] | None = None
        self._state = ModemState(state="absent")
        self.on_ready: Callable[[], None] = lambda: None
        """Called at every change that may let segments be sent."""

    @property
    def ready(self) -> bool:
        """Whether segments can be sent now."""
        return self._link is not None and self._state.state == "ready"

    @property
    def sim(self) -> str:
        """The digest of the IMSI of the SIM that is in it, empty while unknown."""
        return self._state.sim

    async def send(self, message: Submit) -> int:
        """Send one segment; return the network's reference, 0–255.

        Raises :class:`SendRefusedError` (``cure`` and ``cause`` in its fields) when it was not sent,
        :class:`SendUnknownError` when nobody knows, :class:`ModemNotReadyError` when it was not tried.
        """
        link = self._link
        if link is None or not self.ready:
            raise ModemNotReadyError(modem=self.name, reason=self._state.reason or self._state.state)
        command = Command(
            f"AT+CMGS={len(encode_tpdu(message))}",
            prefix="+CMGS",
            lines=1,
            payload=encode(message).hex().upper().encode("ascii"),
        )
        reply = await link.send(command, timeout_s=self._options.send_timeout_s)
        if reply.final.ok:
            values = reply.values()
            if not values or not values[0][0].isdigit():
                raise SendUnknownError(cause="no-reference")
            return int(values[0][0]) & 0xFF
        cure = cure_of(reply.final)
        if cure is Cure.UNKNOWN:
            raise SendUnknownError(cause=cause_of(reply.final))
        if cure is Cure.PURGE:
            await self._purge(link)
        raise SendRefusedError(cause=cause_of(reply.final), cure=cure)

    async def run(self, reporter: Reporter) -> None:
        """Find the modem and serve it until it is lost. Raises; the supervisor starts it again."""
        self._show(ModemState(state="starting"))
        reason = "the driver has ended"
        try:
            link = await self._find()
            try:
                await self._serve(link, reporter)
            finally:
                await link.close()
        except (ModemAbsentError, ModemLostError, ModemSilentError, ModemRefusedError, SimLockedError) as error:
            reason = error.title()
            raise
        finally:
            self._link = None
            self._show(ModemState(state="absent", reason=reason))

    # Finding it.

    async def _find(self) -> ModemLink:
        reason = "none of its ports exists"
        for pattern in self._modem.ports:
            for path in sorted(await asyncio.to_thread(glob.glob, pattern)):
                try:
                    port = await self._open_port(path, self._modem.baud_rate)
                except ModemLostError as error:
                    reason = error.title()
                    continue
                link = ModemLink(port, self._clock, timeout_s=self._options.command_timeout_s)
                link.start()
                try:
                    if await self._is_it(link):
                        return link
                    reason = "another modem is at its port"
                except (ModemLostError, ModemSilentError) as error:
                    reason = error.title()
                except asyncio.CancelledError:
                    await link.close()
                    raise
                await link.close()
        raise ModemAbsentError(modem=self.name, reason=reason)

    async def _is_it(self, link: ModemLink) -> bool:
        await self._up.hello(link)
        imei = bare(await link.ask("AT+CGSN"))
        if self._modem.imei and imei != self._modem.imei:
            return False
        self._show(replace(self._state, imei=imei))
        return True

    # Serving it.

    async def _serve(self, link: ModemLink, reporter: Reporter) -> None:
        await self._up.prepare(link)
        await self._up.unlock(link)
        await self._up.know_sim(link)
        self._link = link
        await self._up.choose_news(link)
        await self._purge(link)
        while True:
            await self._look(link, reporter)
            await self._listen(link)

    async def _look(self, link: ModemLink, reporter: Reporter) -> None:
        """Ask for registration, signal and operator, and tell how it is."""
        registration = await link.ask(Command("AT+CREG?", prefix="+CREG", lines=1, fields=2))
        signal = await link.ask(Command("AT+CSQ", prefix="+CSQ", lines=1))
        values = registration.values()
        dbm = _dbm(signal)
        if not values or values[0][1] not in _REGISTERED:
            self._show(replace(self._state, state="searching", reason="not in a network", signal_dbm=dbm, operator=""))
            reporter.degraded("not in a network")
            await self._restart_when_lost(link)
            return
        self._searching_since = None
        if not await self._up.still_tells(link):
            await self._up.choose_news(link)
            await self._purge(link)
        operator = await link.ask(Command("AT+COPS?", prefix="+COPS", lines=1))
        named = operator.values()
        name = named[0][2] if named and len(named[0]) > 2 else ""
        was_ready = self.ready
        self._show(replace(self._state, state="ready", reason="", signal_dbm=dbm, operator=name))
        reporter.ready()
        if not was_ready:
            self.on_ready()

    async def _restart_when_lost(self, link: ModemLink) -> None:
        now = self._clock.monotonic()
        if self._searching_since is None:
            self._searching_since = now
        elif now - self._searching_since > self._options.restart_after_s:
            self._searching_since = now
            log.warning("modem is restarted: it finds no network", modem=self.name)
            await link.ask(self._up.profile.restart)
            raise ModemLostError(reason="it was restarted, because it finds no network")

    async def _listen(self, link: ModemLink) -> None:
        """Take news until it is time to look again."""
        wait_s = self._options.poll_s
        if self._state.state != "ready":
            wait_s = min(wait_s, 5.0)
        end = self._clock.monotonic() + wait_s
        while (left_s := end - self._clock.monotonic()) > 0:
            try:
                # Only the wait has a deadline: what has begun to be handed in is not broken off.
                async with self._clock.timeout(left_s):
                    news = await link.news.get()
            except TimeoutError:
                break
            if news is None:
                raise ModemLostError(reason="it was unplugged or switched off")
            await self._take(link, news)
            if self._ringing is not None:
                end = min(end, self._ringing[1] + self._options.ring_gap_s)
        await self._end_of_ringing()
        if link.lost_news:
            link.lost_news = 0
            await self._purge(link)

    async def _take(self, link: ModemLink, news: Unsolicited) -> None:
        if news.name in ("+CMT", "+CDS"):
            if news.body is not None:
                await self._hand_in(news.body)
            if self._up.acknowledges:
                await link.ask("AT+CNMA")
        elif news.name in ("+CMTI", "+CDSI"):
            values = news.values()
            if len(values) > 1 and values[1].isdigit():
                await self._read_slot(link, values[0], int(values[1]))
        elif news.name == "^SMMEMFULL":
            await self._purge(link)
        elif news.name in ("RING", "+CRING"):
            caller, _, since = self._ringing or ("", 0.0, self._clock.wall())
            self._ringing = (caller, self._clock.monotonic(), since)
        elif news.name == "+CLIP":
            _, _, since = self._ringing or ("", 0.0, self._clock.wall())
            self._ringing = (news.values()[0], self._clock.monotonic(), since)

    async def _end_of_ringing(self) -> None:
        ringing = self._ringing
        if ringing is None or self._clock.monotonic() - ringing[1] < self._options.ring_gap_s:
            return
        self._ringing = None
        await self._sink.called(Arrived(self.name, self.sim, ringing[2], ""), ringing[0])

    async def _hand_in(self, raw: str) -> None:
        """Make durable what arrived; what is no PDU is told and let go, for it would come again for ever."""
        try:
            pdu = decode(from_hex(raw))
        except PduError as error:
            log.warning(
                "a message could not be read", modem=self.name, reason=error.fields["reason"], octets=len(raw) // 2
            )
            return
        arrived = Arrived(self.name, self.sim, self._clock.wall(), raw)
        if isinstance(pdu, Deliver):
            await self._sink.received(arrived, pdu)
        elif isinstance(pdu, StatusReport):
            await self._sink.reported(arrived, pdu)

    # The storage.

    async def _read_slot(self, link: ModemLink, memory: str, slot: int) -> None:
        other = memory != self._up.memory
        if other:
            await link.ask(f'AT+CPMS="{memory}"')
        try:
            reply = await link.ask(Command(f"AT+CMGR={slot}", prefix="+CMGR", lines=1, bodies=True))
            if len(reply.lines) > 1:
                await self._hand_in(reply.lines[1])
                await link.ask(f"AT+CMGD={slot}")
        finally:
            if other:
                await link.ask(f'AT+CPMS="{self._up.memory}"')

    async def _purge(self, link: ModemLink) -> None:
        """Hand in and delete everything that lies in the storage."""
        for memory in dict.fromkeys((self._up.report_memory, self._up.memory)):
            reply = await link.ask(Command(f'AT+CPMS="{memory}"', prefix="+CPMS", lines=1))
            if not reply.final.ok:
                continue
            counts = [value for value in reply.values()[0] if value.isdigit()] if reply.values() else []
            used, total = (int(counts[0]), int(counts[1])) if len(counts) > 1 else (1, 0)
            if used:
                await self._empty(link, total)

    async def _empty(self, link: ModemLink, total: int) -> None:
        if self._up.profile.list_hangs:
            for slot in range(self._up.profile.first_slot, self._up.profile.first_slot + total):
                reply = await link.ask(Command(f"AT+CMGR={slot}", prefix="+CMGR", lines=1, bodies=True))
                if len(reply.lines) > 1:
                    await self._hand_in(reply.lines[1])
                    await link.ask(f"AT+CMGD={slot}")
            return
        reply = await link.ask(Command("AT+CMGL=4", prefix="+CMGL", bodies=True), timeout_s=60.0)
        heads = [i for i, line in enumerate(reply.lines) if line.startswith("+CMGL:")]
        for value, at in zip(reply.values(), heads, strict=True):
            if at + 1 < len(reply.lines) and value[0].isdigit():
                await self._hand_in(reply.lines[at + 1])
                await link.ask(f"AT+CMGD={value[0]}")

    def _learn(self, **known: Any) -> None:
        self._show(replace(self._state, **known))

    def _show(self, state: ModemState) -> None:
        self._state = state
        self._board.put("sms", self.name, state)


def _dbm(reply: Reply) -> int | None:
    values = reply.values()
    level = int(values[0][0]) if values and values[0][0].isdigit() else _UNKNOWN_SIGNAL
    return -113 + 2 * level if level <= 31 else None
