"""A driver of each kind with something behind it that says whether it is on the air."""

import asyncio
import contextlib
import time

from gateway.core.clock import SystemClock
from tests.support.local_keyer import FakePort, LocalKeyer
from trunks.radio.drivers.handshake import HandshakeDriver, HandshakeOptions
from trunks.radio.drivers.tetra import TetraDriver, TetraOptions
from trunks.radio.simulated_make import PROFILES
from trunks.radio.simulated_network import SimulatedNetwork
from trunks.radio.simulator import TetraSimulator

ISSI = "09011638300023401"


class Reporter:
    def __init__(self):
        self.states = []

    def ready(self):
        self.states.append("ready")

    def degraded(self, reason):
        self.states.append(reason)


class Rig:
    """One driver, what it told, and its keyers."""

    def __init__(self):
        self.events = []
        self.reporter = Reporter()
        self.keyers = []
        self._task = None

    async def start(self):
        self.driver.listen(self.events.append)
        self._task = asyncio.create_task(self.driver.run(self.reporter), name="driver")

    async def stop(self):
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    @property
    def task(self):
        return self._task

    @contextlib.asynccontextmanager
    async def holding(self, holder):
        """Renew for *holder* as an operator's console does."""

        async def renew():
            while True:
                self.driver.ptt.renew(holder)
                await asyncio.sleep(0.05)

        task = asyncio.create_task(renew(), name="renewing")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


class TetraRig(Rig):
    def __init__(self, tmp_path, quirks=PROFILES["plain"], **options):
        super().__init__()
        port = tmp_path / "radio"
        port.touch()
        self.log = []
        self.network = SimulatedNetwork()
        self.radio = TetraSimulator(ISSI, self.network, quirks=quirks, log=self.log.append)
        self.network.add(self.radio)
        self.radio.power_on(time.monotonic() - 5)
        self.network.tick(time.monotonic())
        settings = {"identity": ISSI, "ports": (str(tmp_path / "*"),), "group": "1000", "dialect": "plain"} | options
        self.driver = TetraDriver("radio-1", TetraOptions(**settings), SystemClock(), self._keyer)

    def _keyer(self, radio, setup, listener):
        keyer = LocalKeyer(radio, setup, listener, network=self.network, simulator=self.radio)
        self.keyers.append(keyer)
        return keyer

    @property
    def on_air(self):
        return any(call.keyed for call in self.radio.calls.values())

    @property
    def now_s(self):
        return time.monotonic()


class HandshakeRig(Rig):
    def __init__(self, tmp_path):
        super().__init__()
        self.port = FakePort()
        options = HandshakeOptions(port="/dev/serial/by-id/none", squelch_line="dcd", ptt_delay_s=0.01)
        self.driver = HandshakeDriver("radio-2", options, SystemClock(), self._keyer)

    def _keyer(self, radio, setup, listener):
        keyer = LocalKeyer(radio, setup, listener, port=self.port)
        self.keyers.append(keyer)
        return keyer

    @property
    def on_air(self):
        return bool(self.port.out)


RIGS = {"tetra": TetraRig, "handshake": HandshakeRig}
