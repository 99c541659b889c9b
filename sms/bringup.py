"""Bringing a modem into the network: the dialogue from its first answer to its first news.

Source: 3GPP TS 27.005 sections 3.1 to 3.4, TS 27.007 sections 5, 7 and 8.
"""

import asyncio
import hashlib
from collections.abc import Callable

from gateway.core.clock import Clock
from sms.at import Command, Reply
from sms.errors import ModemAbsentError, ModemRefusedError, ModemSilentError, SimLockedError
from sms.link import ModemLink
from sms.options import Modem
from sms.profiles import PLAIN, profile_of

_HELLO_TRIES = 5
_HELLO_TIMEOUT_S = 2.0
_SIM_TRIES = 10
_BUSY_PAUSE_S = 1.0


class BringUp:
    """What was learnt of one modem, and how. ``show`` takes fields of its state as they become known.

    A refused PIN is remembered over reconnections, for the third wrong one would lock the SIM.
    """

    def __init__(self, name: str, options: Modem, clock: Clock, show: Callable[..., None]) -> None:
        self._name = name
        self._options = options
        self._clock = clock
        self._show = show
        self.pin_refused = False
        self.profile = PLAIN
        self.memory = "SM"
        """Where messages are kept, and ``report_memory`` where reports are."""
        self.report_memory = "SM"
        self.news: list[str] = []
        """What ``+CNMI`` was set to."""
        self.acknowledges = False
        """Whether what is handed over at once has to be acknowledged."""

    async def hello(self, link: ModemLink) -> None:
        """Make the modem answer; raise :class:`ModemSilentError` when it does not."""
        # Whatever was on its way when the last owner went is ended by ESC; the first answers may be late ones.
        for attempt in range(_HELLO_TRIES):
            try:
                reply = await link.ask("ATE0", timeout_s=_HELLO_TIMEOUT_S)
            except ModemSilentError:
                if attempt == _HELLO_TRIES - 1:
                    raise
                continue
            if reply.final.ok:
                return
            await self._clock.sleep(_BUSY_PAUSE_S)

    async def prepare(self, link: ModemLink) -> None:
        """Learn the model and set what every command after this relies on."""
        maker, model = bare(await link.ask("AT+CGMI")), bare(await link.ask("AT+CGMM"))
        self.profile = profile_of(f"{maker} {model}")
        link.learn(self.profile.news)
        self._show(model=f"{maker} {model}".strip())
        for command in self.profile.prepare:
            await link.ask(command)
        await link.demand("ATE0")
        await self._patiently(link, "AT+CMEE=1")
        await self._patiently(link, "AT+CMGF=0")
        await link.ask("AT+CLIP=1")
        await link.ask("AT+CREG=1")

    async def _patiently(self, link: ModemLink, command: str) -> Reply:
        # A modem that has just started says for some seconds that it is busy.
        for _ in range(_SIM_TRIES):
            reply = await link.ask(command)
            if reply.final.ok or (reply.final.kind == "CME" and reply.final.code not in self.profile.busy):
                return reply
            await self._clock.sleep(_BUSY_PAUSE_S)
        return reply

    async def unlock(self, link: ModemLink) -> None:
        """Wait for the SIM, and enter the PIN once; raise :class:`SimLockedError` when that cannot help."""
        asked = Command("AT+CPIN?", prefix="+CPIN", lines=1)
        for _ in range(_SIM_TRIES):
            reply = await link.ask(asked)
            said = reply.values()[0][0] if reply.values() else ""
            if said == "READY":
                return
            if said == "SIM PIN":
                await self._enter_pin(link)
            elif said:
                raise SimLockedError(modem=self._name, reason=f"it wants {said}")
            await self._clock.sleep(_BUSY_PAUSE_S)
        raise ModemRefusedError(command="AT+CPIN?", answer=str(reply.final))

    async def _enter_pin(self, link: ModemLink) -> None:
        if self._options.pin is None:
            raise SimLockedError(modem=self._name, reason="it wants a PIN and none is configured")
        if self.pin_refused:
            raise SimLockedError(modem=self._name, reason="the configured PIN was refused")
        pin = await asyncio.to_thread(self._options.pin.read)
        if not (pin.isascii() and pin.isdigit() and 4 <= len(pin) <= 8):
            raise SimLockedError(modem=self._name, reason="the configured PIN is not 4 to 8 digits")
        final = (await link.ask(f'AT+CPIN="{pin}"')).final
        if not final.ok and not (final.kind == "CME" and final.code in self.profile.busy):
            self.pin_refused = True
            raise SimLockedError(modem=self._name, reason="the configured PIN was refused")

    async def know_sim(self, link: ModemLink) -> None:
        """Tell the SIM by its IMSI; raise :class:`ModemAbsentError` when it is another one."""
        imsi = bare(await self._patiently(link, "AT+CIMI"))
        if self._options.imsi and imsi != self._options.imsi:
            raise ModemAbsentError(modem=self._name, reason="another SIM is in it")
        self._show(sim=hashlib.sha256(imsi.encode()).hexdigest()[:16] if imsi else "")

    async def choose_news(self, link: ModemLink) -> None:
        """Let the modem tell what arrives, as much of it as it can."""
        memories = await link.ask(Command("AT+CPMS=?", prefix="+CPMS", lines=1))
        listed = " ".join(memories.lines)
        self.memory = "ME" if '"ME"' in listed and '"SM"' not in listed else "SM"
        self.report_memory = "SR" if '"SR"' in listed else self.memory
        await link.ask(f'AT+CPMS="{self.memory}","{self.memory}","{self.memory}"')
        self.acknowledges = (await link.ask(Command("AT+CSMS=1", prefix="+CSMS"))).final.ok
        for step in self.profile.cnmi:
            if (await link.ask(f"AT+CNMI={step}")).final.ok:
                self.news = step.split(",")
                self._show(reports=self.news[3] != "0")
                break
        else:
            raise ModemRefusedError(command="AT+CNMI", answer="every form of it")
        if self.profile.keeps_link:
            await link.ask("AT+CMMS=2")

    async def still_tells(self, link: ModemLink) -> bool:
        """Return whether the modem still tells what arrives.

        One whose news was not acknowledged in time, as when the gateway was killed, stops to (TS 27.005 section 3.4.1).
        """
        said = (await link.ask(Command("AT+CNMI?", prefix="+CNMI", lines=1))).values()
        return not said or len(said[0]) < 4 or (said[0][1], said[0][3]) == (self.news[1], self.news[3])


def bare(reply: Reply) -> str:
    """Return the answer of a command whose lines have no prefix, or may have one."""
    line = reply.lines[0] if reply.final.ok and reply.lines else ""
    return line.rpartition(":")[2].strip().strip('"')
