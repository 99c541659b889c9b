"""A keyer without a process: the same state machines, joined in memory to a simulated radio or to a fake port."""

import asyncio
import contextlib
import itertools
import time

from trunks.radio.errors import KeyerLostError, KeyRefusedError, RadioSilentError
from trunks.radio.handshake import LinesKeyer
from trunks.radio.keyer import PeiKeyer
from trunks.radio.keyer_messages import Answer, Command, Key, Recover, Renew, Unkey
from trunks.radio.lease import Lease
from trunks.radio.pei_tables import Dialect


class FakePort:
    """Handshake lines that a test looks at and raises."""

    def __init__(self):
        self.out = set()
        self.raised = set()

    def set_lines(self, lines, *, on):
        self.out = self.out | set(lines) if on else self.out - set(lines)

    def line(self, line):
        return line in self.raised


class LocalKeyer:
    """Answers as :class:`trunks.radio.keyer_client.KeyerClient` does."""

    def __init__(self, radio, setup, listener, *, network=None, simulator=None, port=None):
        self.lost = asyncio.Event()
        self.reason = "stopped"
        self._radio = radio
        self._listener = listener
        self._network = network
        self._simulator = simulator
        lease = Lease(setup.hard_limit_s)
        if port is None:
            self._keyer = PeiKeyer(
                identity=setup.identity,
                sound_device=setup.sound_device,
                dialect=Dialect.named(setup.dialect),
                lease=lease,
            )
        else:
            self._keyer = LinesKeyer(
                port,
                ptt_lines=setup.ptt_lines,
                squelch_line=setup.squelch_line,
                squelch_inverted=setup.squelch_inverted,
                sound_device=setup.sound_device,
                lease=lease,
            )
        self._numbers = itertools.count(1)
        self._waiting = {}
        self._task = None

    async def start(self):
        self._task = asyncio.create_task(self._run(), name="local-keyer")

    async def stop(self):
        self._keyer.parent_gone(time.monotonic())
        end_s = time.monotonic() + 2
        while not self._keyer.released and time.monotonic() < end_s:
            self._turn()
            await asyncio.sleep(0.002)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self.unplug("stopped")

    def unplug(self, reason="hung up"):
        if not self.lost.is_set():
            self.reason = reason
            self.lost.set()
            for number, future in self._waiting.items():
                if not future.done():
                    future.set_result(Answer(number, "lost", reason))

    async def command(self, line, data="", *, timeout_s=5.0):
        answer = await self._ask(lambda number: Command(number, line, data, timeout_s))
        if answer.outcome == "timeout":
            raise RadioSilentError(radio=self._radio, what=line)
        return answer

    async def key(self, holder, line="", *, sound_device="", timeout_s=2.0):
        answer = await self._ask(lambda number: Key(number, holder, line, sound_device, timeout_s))
        if answer.outcome in ("refused", "interrupted"):
            raise KeyRefusedError(radio=self._radio, reason=answer.text or answer.outcome)
        return answer

    def renew(self, holder):
        self._keyer.told(Renew(holder), time.monotonic())

    def recover(self):
        self._keyer.told(Recover(), time.monotonic())

    async def unkey(self, *, timeout_s=2.0):
        try:
            async with asyncio.timeout(timeout_s):
                await self._ask(Unkey)
        except (TimeoutError, KeyerLostError):
            return False
        return True

    async def _ask(self, make):
        if self.lost.is_set():
            raise KeyerLostError(radio=self._radio, reason=self.reason)
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._keyer.told(make(number), time.monotonic())
        answer = await future
        if answer.outcome == "lost":
            raise KeyerLostError(radio=self._radio, reason=answer.text)
        return answer

    async def _run(self):
        while True:
            if not self.lost.is_set():
                self._turn()
            await asyncio.sleep(0.002)

    def _turn(self):
        now_s = time.monotonic()
        if self._simulator is not None:
            self._network.tick(now_s)
            for chunk in self._simulator.output():
                self._keyer.heard(chunk, now_s)
            octets = self._keyer.output()
            if octets:
                self._keyer.wrote(len(octets))
                self._simulator.feed(octets, now_s)
        self._keyer.tick(now_s)
        for message in self._keyer.messages():
            if isinstance(message, Answer):
                future = self._waiting.pop(message.id, None)
                if future is not None and not future.done():
                    future.set_result(message)
            else:
                self._listener(message)
