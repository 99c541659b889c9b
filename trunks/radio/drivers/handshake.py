"""Any radio without a data protocol: RTS or DTR keys it, CTS, DSR or DCD tells its squelch.

The lines belong to a keyer process (:mod:`trunks.radio.handshake`); without a squelch line, VOX tells when somebody is
heard (:mod:`trunks.radio.vox`), which is the audio worker's to do.
"""

from typing import Annotated, ClassVar, Literal

import msgspec

from gateway.core.clock import Clock
from gateway.core.options import Options
from gateway.core.supervisor import Reporter
from gateway.core.text import Text
from trunks.radio.driver import (
    Capability,
    LinkHeard,
    Listener,
    SquelchHeard,
    TransmitChanged,
    TransmitterStuck,
    Verdict,
)
from trunks.radio.errors import KeyerLostError
from trunks.radio.keyer_client import KeyerClient, KeyerFactory, KeyerPort
from trunks.radio.keyer_messages import FromKeyer, Setup, Squelch, Transmitter
from trunks.radio.registry import DriverKind


class HandshakeOptions(Options, frozen=True, kw_only=True):
    """One radio on handshake lines."""

    SECTION: ClassVar[str] = ""

    port: Annotated[str, msgspec.Meta(description="Its serial port, by a stable name.")] = ""
    ptt_lines: Annotated[
        tuple[Literal["rts", "dtr"], ...], msgspec.Meta(description="The lines that are raised to key it.")
    ] = ("rts",)
    squelch_line: Annotated[
        Literal["cts", "dsr", "dcd", ""], msgspec.Meta(description="The line that tells its squelch; empty for VOX.")
    ] = ""
    squelch_inverted: Annotated[bool, msgspec.Meta(description="Whether a lowered line means that it is open.")] = False
    sound_device: Annotated[
        str, msgspec.Meta(description="The stable name of the sound device that is wired to this radio.")
    ] = ""
    ptt_delay_s: Annotated[
        float,
        msgspec.Meta(description="How long the transmitter needs until it is heard; speech is held back so long."),
    ] = 0.2
    hard_limit_s: Annotated[float, msgspec.Meta(description="The longest transmission in one go, in seconds.")] = 180.0


class HandshakeDriver:
    """One radio on handshake lines; it is its own push-to-talk."""

    def __init__(self, name: str, options: HandshakeOptions, clock: Clock, keyers: KeyerFactory = KeyerClient) -> None:
        self._name = name
        self._options = options
        self._clock = clock
        self._keyers = keyers
        self._listener: Listener = lambda _: None
        self._keyer: KeyerPort | None = None
        self._holder = ""

    @property
    def name(self) -> str:
        """The resource's name."""
        return self._name

    @property
    def capabilities(self) -> frozenset[Capability]:
        """A squelch when a line tells it, and nothing else."""
        return KIND.capabilities if self._options.squelch_line else frozenset()

    @property
    def ptt(self) -> "HandshakeDriver":
        """The transmitter."""
        return self

    def listen(self, listener: Listener) -> None:
        """Tell every event to *listener* from now on."""
        self._listener = listener

    async def run(self, reporter: Reporter) -> None:
        """Hold the port until it is gone; then raise."""
        options = self._options
        setup = Setup(
            "lines",
            options.port,
            sound_device=options.sound_device,
            hard_limit_s=options.hard_limit_s,
            ptt_lines=options.ptt_lines,
            squelch_line=options.squelch_line,
            squelch_inverted=options.squelch_inverted,
        )
        keyer = self._keyers(self._name, setup, self._heard)
        await keyer.start()
        try:
            if not await keyer.unkey():
                raise KeyerLostError(radio=self._name, reason=keyer.reason)
            self._keyer = keyer
            self._listener(LinkHeard(up=True))
            reporter.ready()
            await keyer.lost.wait()
            raise KeyerLostError(radio=self._name, reason=keyer.reason)
        finally:
            self._keyer = None
            if self._holder:
                self._holder = ""
                self._listener(TransmitChanged(None, "port_lost"))  # with its port the lines are lowered
            self._listener(LinkHeard(up=False, reason=keyer.reason))
            await keyer.stop()

    async def key(self, holder: str, *, priority: int = 0) -> Verdict:
        """Raise the lines; return when the transmitter has had time to be heard."""
        del priority  # nobody decides here
        keyer = self._keyer
        if keyer is None:
            raise KeyerLostError(radio=self._name, reason="it is not connected")
        await keyer.key(holder, sound_device=self._options.sound_device)
        self._holder = holder
        await self._clock.sleep(self._options.ptt_delay_s)
        return Verdict.GRANTED

    def renew(self, holder: str) -> None:
        """Prolong the lease of *holder*."""
        if self._keyer is not None:
            self._keyer.renew(holder)

    async def release(self, holder: str) -> None:
        """Lower the lines. Of somebody who does not hold them, this means nothing."""
        if holder != self._holder:
            return
        self._holder = ""
        if self._keyer is not None and not await self._keyer.unkey():
            self._listener(TransmitterStuck("unconfirmed"))

    def _heard(self, message: FromKeyer) -> None:
        match message:
            case Squelch(is_open):
                self._listener(SquelchHeard(is_open))
            case Transmitter("idle", reason) if reason != "let_go":
                self._holder = ""
                self._listener(TransmitChanged(None, reason))
            case _:
                pass


KIND = DriverKind(
    "handshake",
    Text("Radio on handshake lines", "握手线控制的电台"),
    HandshakeOptions,
    frozenset({Capability.SQUELCH}),
    HandshakeDriver,
)
