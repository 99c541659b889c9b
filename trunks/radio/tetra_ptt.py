"""Push-to-talk of a TETRA radio: a demand in the call there is, or a call with the selected group."""

import asyncio
from collections.abc import Awaitable, Callable

from gateway.core.clock import Clock
from trunks.radio import pei_commands
from trunks.radio.driver import RadioEvent, TransmitChanged, TransmitterStuck, Verdict
from trunks.radio.errors import KeyerLostError, KeyRefusedError
from trunks.radio.keyer_client import KeyerPort
from trunks.radio.keyer_messages import Answer
from trunks.radio.tetra import TetraCall, TetraTranslator

GRANT_S = 3.0
"""How long the network's first decision is waited for; after that the demand counts as queued."""
_EMERGENCY, _PREEMPTIVE, _HIGH = 15, 12, 8


class TetraPushToTalk:
    """The transmitter. A permission that is lost is let go of, so that nothing is keyed again without being asked."""

    def __init__(
        self,
        radio: str,
        translator: TetraTranslator,
        clock: Clock,
        *,
        sound_device: str,
        keyer: Callable[[], KeyerPort | None],
        done: Callable[[str], Awaitable[Answer]],
        dialling: asyncio.Lock,
        tell: Callable[[RadioEvent], None],
    ) -> None:
        self._radio = radio
        self._translator = translator
        self._clock = clock
        self._sound_device = sound_device
        self._keyer = keyer
        self._done = done
        self._dialling = dialling
        self._tell = tell
        self._holder = ""
        self._decided: asyncio.Future[Verdict] | None = None
        self._letting_go: asyncio.Task[None] | None = None

    async def key(self, holder: str, *, priority: int = 0) -> Verdict:
        """Demand to speak to the selected group; see :class:`trunks.radio.driver.PushToTalk`."""
        keyer = self._keyer()
        if keyer is None:
            raise KeyerLostError(radio=self._radio, reason="it is not connected")
        if self._holder not in ("", holder):
            raise KeyRefusedError(radio=self._radio, reason="held")
        group = self._translator.group
        async with self._dialling:
            call = self._translator.call_of(group)
            if call is None:
                await self._done(pei_commands.call_parameters(group=True, priority=priority))
                line = pei_commands.dial(group)
                self._translator.dialled = TetraCall(
                    0, called=group, group=True, priority=priority, incoming=False, demanded=True
                )
            else:
                line = pei_commands.demand(call.instance, demand_of(priority))
                call.demanded = True
            decided: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
            self._decided = decided
            if not await self._keyed(keyer, holder, line):
                self._decided = self._translator.dialled = None
                return Verdict.REFUSED
        try:
            async with self._clock.timeout(GRANT_S):
                return await decided
        except TimeoutError:
            return Verdict.QUEUED
        finally:
            self._decided = None if self._decided is decided else self._decided

    async def _keyed(self, keyer: KeyerPort, holder: str, line: str) -> bool:
        before, self._holder = self._holder, holder
        try:
            answer = await keyer.key(holder, line, sound_device=self._sound_device)
        except KeyRefusedError:
            self._holder = before
            self._decided = self._translator.dialled = None
            raise
        if answer.outcome == "ok":
            return True
        # Refused by the radio, or not answered: it may be keyed all the same.
        await self.release(holder)
        return False

    def renew(self, holder: str) -> None:
        """Prolong the lease of *holder*."""
        keyer = self._keyer()
        if keyer is not None:
            keyer.renew(holder)

    async def release(self, holder: str) -> None:
        """Let go. Of somebody who does not hold it, this means nothing."""
        if holder != self._holder:
            return
        self._holder = ""
        for call in self._translator.calls.values():
            call.demanded = call.transmitting = False
        keyer = self._keyer()
        if keyer is not None:
            await keyer.unkey()

    def decided(self, verdict: Verdict | None) -> None:
        """Take a decision of the network."""
        if verdict is not None and self._decided is not None and not self._decided.done():
            self._decided.set_result(verdict)

    def transmitter(self, state: str, reason: str) -> None:
        """Take what the keyer did by itself."""
        if state == "releasing" and reason not in ("let_go", "recover"):
            self._tell(TransmitChanged(None, reason))

    def port_lost(self) -> None:
        """The port is gone. Who spoke is told, and that nobody knows whether the radio still transmits."""
        if self._holder:
            self._holder = ""
            self._tell(TransmitChanged(None, "port_lost"))
            self._tell(TransmitterStuck("port_lost"))

    def lost(self) -> None:
        """The permission is gone."""
        holder = self._holder
        if holder and (self._letting_go is None or self._letting_go.done()):
            self._letting_go = asyncio.get_running_loop().create_task(
                self.release(holder), name=f"{self._radio}-let-go"
            )


def demand_of(priority: int) -> pei_commands.Demand:
    """Return how urgently a call of *priority* 0 to 15 demands to speak."""
    if priority >= _EMERGENCY:
        return pei_commands.Demand.EMERGENCY
    if priority >= _PREEMPTIVE:
        return pei_commands.Demand.PREEMPTIVE
    return pei_commands.Demand.HIGH if priority >= _HIGH else pei_commands.Demand.LOW
