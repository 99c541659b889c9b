"""A TETRA radio on its Peripheral Equipment Interface.

It is found by its identity, not by its port. Everything volatile is set again when the radio comes back from a power
cycle. Its transmitter belongs to a keyer process (:mod:`trunks.radio.keyer`); this driver only asks.
"""

import asyncio
import glob
import itertools
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import msgspec
import structlog

from gateway.core.clock import Clock
from gateway.core.errors import InvalidInputError, TrunklineError
from gateway.core.ids import new_id
from gateway.core.options import Options
from gateway.core.supervisor import Reporter
from gateway.core.text import Text
from trunks.radio import pei_commands, sds
from trunks.radio.driver import (
    Capability,
    LinkHeard,
    Listener,
    RadioEvent,
    RegistrationHeard,
    TransmitChanged,
    TransmitterStuck,
)
from trunks.radio.errors import (
    KeyerLostError,
    RadioNotFoundError,
    RadioRefusedError,
    RadioSilentError,
)
from trunks.radio.keyer_client import KeyerClient, KeyerFactory, KeyerPort
from trunks.radio.keyer_messages import Answer, FromKeyer, Heard, Setup, Transmitter
from trunks.radio.outbox import Outbox
from trunks.radio.pei_tables import ErrorCode
from trunks.radio.registry import DriverKind
from trunks.radio.tetra import ReportHeard, ReportOwed, TetraCall, TetraEvent, TetraTranslator, grant_of
from trunks.radio.tetra_ptt import TetraPushToTalk

log = structlog.get_logger(__name__)

PROBE_S = 1.0
POLL_S = 5.0
GRANT_S = 3.0
BUSY_TRIES = 5
BUSY_S = 0.4
_REPORTS_LIMIT = 256


class TetraOptions(Options, frozen=True, kw_only=True):
    """One TETRA radio."""

    SECTION: ClassVar[str] = ""

    identity: Annotated[str, msgspec.Meta(description="The radio's own number, as `AT+CNUMF?` tells it.")] = ""
    ports: Annotated[tuple[str, ...], msgspec.Meta(description="Where to look for it; patterns are allowed.")] = (
        "/dev/serial/by-id/*",
    )
    baud: Annotated[int, msgspec.Meta(description="Bits per second, 8N1.")] = 38400
    flow_control: Annotated[bool, msgspec.Meta(description="Whether RTS and CTS hold the flow.")] = False
    dialect: Annotated[
        Literal["plain", "motorola", "sepura", "ril"], msgspec.Meta(description="How this make of radio speaks.")
    ] = "plain"
    sound_device: Annotated[
        str, msgspec.Meta(description="The stable name of the sound device that is wired to this radio.")
    ] = ""
    group: Annotated[str, msgspec.Meta(description="The group to select; empty leaves what the radio has.")] = ""
    hard_limit_s: Annotated[float, msgspec.Meta(description="The longest transmission in one go, in seconds.")] = 180.0
    radio_limit_s: Annotated[
        float,
        msgspec.Meta(description="The time-out that is set in the radio itself; it ends what nobody can release."),
    ] = 0.0


class TetraDriver:
    """One radio. It offers every port of :mod:`trunks.radio.driver`, itself being all of them but push-to-talk."""

    def __init__(self, name: str, options: TetraOptions, clock: Clock, keyers: KeyerFactory = KeyerClient) -> None:
        self._name = name
        self._options = options
        self._clock = clock
        self._keyers = keyers
        self._listener: Listener = lambda _: None
        self._keyer: KeyerPort | None = None
        self._translator = TetraTranslator(group=options.group)
        self._outbox = Outbox()
        self._references = itertools.count(1)
        self._sending = asyncio.Lock()
        self._dialling = asyncio.Lock()
        self._on_its_way: tuple[str, int] | None = None
        """The message, and its part, that the radio was just given."""
        self._reports: asyncio.Queue[ReportOwed] = asyncio.Queue(_REPORTS_LIMIT)
        self._started_again = asyncio.Event()
        self._in_service = False
        self._ptt = TetraPushToTalk(
            name,
            self._translator,
            clock,
            sound_device=options.sound_device,
            keyer=lambda: self._keyer,
            done=self._done,
            dialling=self._dialling,
            tell=lambda event: self._tell([event]),
        )

    # The contract

    @property
    def name(self) -> str:
        """The resource's name."""
        return self._name

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What TETRA offers."""
        return KIND.capabilities

    @property
    def ptt(self) -> TetraPushToTalk:
        """The transmitter."""
        return self._ptt

    @property
    def group(self) -> str:
        """The selected group, as far as it is known."""
        return self._translator.group

    @property
    def calls(self) -> dict[int, TetraCall]:
        """The calls there are now, by the radio's number."""
        return self._translator.calls

    def listen(self, listener: Listener) -> None:
        """Tell every event to *listener* from now on."""
        self._listener = listener

    async def run(self, reporter: Reporter) -> None:
        """Find the radio, set it up, and keep it so until the port is gone; then raise."""
        keyer = self._keyer = await self._find()
        try:
            keyer.recover()
            await self._set_up()
            self._listener(LinkHeard(up=True))
            reporter.ready()
            reports = asyncio.create_task(self._answer_reports(), name=f"{self._name}-reports")
            try:
                await self._watch(keyer, reporter)
            finally:
                reports.cancel()
                await asyncio.wait([reports])
        finally:
            self._keyer = None
            if keyer.lost.is_set():
                self._ptt.port_lost()
            self._tell(self._translator.forget())
            self._listener(LinkHeard(up=False, reason=keyer.reason))
            await keyer.stop()

    async def select_group(self, group: str) -> None:
        """Make *group* the one that a key-up speaks to."""
        await self._done(pei_commands.select_group(group))
        self._translator.group = group

    async def call(self, called: str, *, group: bool, duplex: bool = False, priority: int = 0) -> None:
        """Call somebody without speaking, which push-to-talk asks for. Duplex calls are not offered."""
        if duplex:
            raise InvalidInputError(field="duplex", reason="this radio is not used for duplex calls")
        async with self._dialling:
            await self._done(pei_commands.call_parameters(group=group, priority=priority, transmit=False))
            self._translator.dialled = TetraCall(0, called=called, group=group, priority=priority, incoming=False)
            await self._done(pei_commands.dial(called))

    async def answer(self, call: int) -> None:
        """Take an incoming simplex call; nothing is transmitted before it is keyed."""
        if call not in self._translator.calls:
            raise InvalidInputError(field="call", reason="there is no such call")
        await self._done("ATA")

    async def hang_up(self, call: int) -> None:
        """End a call."""
        if call in self._translator.calls:
            await self._done("ATH")

    async def send_text(self, called: str, text: str) -> str:
        """Send *text* with a report of its arrival asked for. Raises when the radio does not take it."""
        messages = sds.texts(text, reference=next(self._references))
        for _ in messages[1:]:
            next(self._references)
        name = new_id()
        self._outbox.begin(name, called, [message.reference for message in messages])
        for place, message in enumerate(messages):
            await self._send(name, place, called, sds.encode(message), status=False)
        return name

    async def send_status(self, called: str, status: int) -> str:
        """Send a pre-coded status."""
        if not 0 <= status <= 0xFFFF:  # 16 bits
            raise InvalidInputError(field="status", reason="it is not between 0 and 65535")
        name = new_id()
        self._outbox.begin(name, called, [None])
        await self._send(name, 0, called, sds.encode(sds.Status(status)), status=True)
        return name

    # Finding and keeping the radio

    async def _find(self) -> KeyerPort:
        ports = await asyncio.to_thread(_ports, self._options.ports)
        for port in ports:
            keyer = self._keyers(self._name, self._setup(port), self._heard)
            await keyer.start()
            try:
                if await self._is_ours(keyer):
                    log.info("radio found", radio=self._name, port=port)
                    return keyer
            except BaseException:
                await keyer.stop()
                raise
            await keyer.stop()
        raise RadioNotFoundError(radio=self._name)

    def _setup(self, port: str) -> Setup:
        options = self._options
        return Setup(
            "pei",
            port,
            options.baud,
            options.identity,
            options.sound_device,
            options.dialect,
            options.hard_limit_s,
            options.flow_control,
        )

    async def _is_ours(self, keyer: KeyerPort) -> bool:
        try:
            await keyer.command("AT", timeout_s=PROBE_S)
            answer = await keyer.command("AT+CNUMF?", timeout_s=PROBE_S)
        except (RadioSilentError, KeyerLostError):
            return False
        told = [one.identity("identity") for one in answer.indications if one.name == "CNUMF"]
        return bool(told) and self._options.identity in ("", told[0])

    async def _set_up(self) -> None:
        """Say everything that a power cycle makes the radio forget."""
        self._started_again.clear()
        for line in ("ATE0", "AT+CMEE=1", *pei_commands.PROFILES, "AT+CREG=1", "AT+CNUMF?", "AT+CREG?", "AT+CSQ?"):
            answer = await self._ask(line)
            if answer.outcome != "ok" and answer.code != ErrorCode.ALREADY_REGISTERED:
                log.warning("radio refused a setting", radio=self._name, line=line, code=answer.code)
        await self._ask(pei_commands.select_group(self._options.group) if self._options.group else "AT+CTGS?")

    async def _watch(self, keyer: KeyerPort, reporter: Reporter) -> None:
        silent = False
        while True:
            try:
                async with self._clock.timeout(POLL_S):
                    await self._something(keyer)
            except TimeoutError:
                pass
            if keyer.lost.is_set():
                raise KeyerLostError(radio=self._name, reason=keyer.reason)
            try:
                if silent:
                    await self._ask("AT", timeout_s=PROBE_S)
                if silent or self._started_again.is_set():
                    await self._set_up()
                else:
                    await self._ask("AT+CSQ?", timeout_s=PROBE_S)
            except RadioSilentError:
                if not silent:
                    silent = True
                    self._tell(self._translator.forget())
                    self._listener(LinkHeard(up=False, reason="silent"))
                    reporter.degraded("the radio does not answer")
                continue
            if silent:
                silent = False
                self._listener(LinkHeard(up=True))
                reporter.ready()

    async def _something(self, keyer: KeyerPort) -> None:
        """Wait until the keyer is lost or the radio has started again."""
        waits = [
            asyncio.create_task(keyer.lost.wait(), name=f"{self._name}-lost"),
            asyncio.create_task(self._started_again.wait(), name=f"{self._name}-started"),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.wait(waits)

    # Talking with the radio

    async def _ask(self, line: str, data: str = "", *, timeout_s: float = 5.0) -> Answer:
        if self._keyer is None:
            raise KeyerLostError(radio=self._name, reason="it is not connected")
        return await self._keyer.command(line, data, timeout_s=timeout_s)

    async def _done(self, line: str, data: str = "") -> Answer:
        answer = await self._ask(line, data)
        if answer.outcome == "interrupted":
            raise RadioSilentError(radio=self._name, what=line.partition("=")[0])
        if answer.outcome != "ok":
            raise RadioRefusedError(radio=self._name, reason=_reason(answer))
        return answer

    async def _send(self, name: str, place: int, called: str, digits: str, *, status: bool) -> None:
        line, data = pei_commands.message(called, digits)
        try:
            await self._hand_over(line, data, status=status, message=(name, place))
        except TrunklineError as error:
            reason = "unknown" if isinstance(error, RadioSilentError) else error.code
            self._tell(self._outbox.failed(name, reason))
            raise
        self._tell(self._outbox.accepted(name, place, None))

    async def _hand_over(self, line: str, data: str, *, status: bool, message: tuple[str, int] | None = None) -> Answer:
        """Select the service and send, together; a radio that is busy has not sent, and is asked again."""
        async with self._sending:
            for _ in range(BUSY_TRIES):
                await self._done(pei_commands.select_service(status=status))
                self._on_its_way = message
                try:
                    answer = await self._ask(line, data, timeout_s=10.0)
                finally:
                    self._on_its_way = None
                if answer.code not in (ErrorCode.BUSY_SIGNALLING, ErrorCode.DATA_LATE):
                    break
                await self._clock.sleep(BUSY_S)
        if answer.outcome == "interrupted":
            raise RadioSilentError(radio=self._name, what="AT+CMGS")
        if answer.outcome != "ok":
            raise RadioRefusedError(radio=self._name, reason=_reason(answer))
        return answer

    async def _answer_reports(self) -> None:
        while True:
            report = await self._reports.get()
            line, data = pei_commands.message(report.called, report.digits)
            try:
                await self._hand_over(line, data, status=False)
            except TrunklineError as error:
                log.warning("a report was not sent", radio=self._name, error=error.code)

    # What the radio says

    def _heard(self, message: FromKeyer) -> None:
        match message:
            case Heard(indication):
                self._ptt.decided(grant_of(indication) if indication.name == "CTXG" else None)
                if indication.name == "CMGS":
                    self._sent(indication.number("instance"), indication.number("status"))
                self._tell(self._translator.heard(indication, self._clock.monotonic()))
            case Transmitter(state, reason):
                self._ptt.transmitter(state, reason)
                if state == "stuck":
                    self._listener(TransmitterStuck(reason))
            case _:
                pass

    def _sent(self, instance: int | None, status: int | None) -> None:
        # Both may come in one breath, before whoever waits for the answer has had its turn.
        if status is None and self._on_its_way is not None:
            self._tell(self._outbox.accepted(*self._on_its_way, instance))
        else:
            self._tell(self._outbox.told_by_radio(instance, status))

    def _tell(self, events: Sequence[TetraEvent]) -> None:
        for event in events:
            match event:
                case ReportHeard():
                    self._tell(self._outbox.told_by_receiver(event))
                case ReportOwed():
                    if self._reports.full():
                        log.warning("reports are owed faster than they can be sent", radio=self._name)
                    else:
                        self._reports.put_nowait(event)
                case _:
                    self._note(event)
                    self._listener(event)

    def _note(self, event: RadioEvent) -> None:
        if isinstance(event, RegistrationHeard):
            if event.in_service and not self._in_service:
                self._started_again.set()
            self._in_service = event.in_service
        elif isinstance(event, TransmitChanged) and event.verdict is None:
            self._ptt.lost()


def _ports(patterns: tuple[str, ...]) -> list[str]:
    return sorted({path for pattern in patterns for path in glob.glob(pattern)})  # noqa: PTH207  # absolute patterns


def _reason(answer: Answer) -> str:
    known = answer.code is not None and answer.code in set(ErrorCode)
    return ErrorCode(answer.code or 0).name.lower() if known else answer.text or answer.outcome


KIND = DriverKind(
    "tetra",
    Text("TETRA radio", "TETRA 电台"),
    TetraOptions,
    frozenset(Capability) - {Capability.SQUELCH, Capability.DUPLEX},
    TetraDriver,
)
