"""Simulated modems on pseudo terminals, so that any program can open them like a serial port."""

import asyncio
import os
import tty
from pathlib import Path

from gateway.core.clock import Clock
from sms.simulator import SimulatedModem
from sms.simulator_models import Quirks, Sim
from sms.simulator_network import SimulatedNetwork

_UNSENT_LIMIT = 65_536
_CHUNK = 4096


class SimulatedPort:
    """A modem with its SIM behind a link at *path*, which is there while the modem is plugged in."""

    def __init__(
        self,
        path: Path,
        network: SimulatedNetwork,
        clock: Clock,
        *,
        sim: Sim | None = None,
        imei: str = "860000000000001",
        quirks: Quirks | None = None,
    ) -> None:
        self.path = path
        self.sim = sim or Sim()
        self.modem: SimulatedModem | None = None
        self._network = network
        self._clock = clock
        self._imei = imei
        self._quirks = quirks
        self._master = -1
        self._slave = -1
        self._unsent = bytearray()

    def plug(self) -> None:
        """Plug it in: the link appears, the modem starts."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._unsent.clear()
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(self._slave))
        asyncio.get_running_loop().add_reader(self._master, self._readable)
        self.modem = SimulatedModem(
            self._write, self._network, self._clock, sim=self.sim, imei=self._imei, quirks=self._quirks
        )
        self.modem.start()

    def unplug(self) -> None:
        """Pull it out: who has it open gets an error, and the link is gone."""
        if self.modem is None:
            return
        self.modem.stop()
        self.modem = None
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        loop.remove_writer(self._master)
        os.close(self._master)
        os.close(self._slave)
        self.path.unlink(missing_ok=True)

    def _readable(self) -> None:
        try:
            data = os.read(self._master, _CHUNK)
        except BlockingIOError:
            return
        if self.modem is not None:
            self.modem.feed(data)

    def _write(self, data: bytes) -> None:
        if len(self._unsent) + len(data) > _UNSENT_LIMIT:
            return  # nobody reads: what a serial port does not take is lost
        self._unsent += data
        self._flush()

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            sent = os.write(self._master, self._unsent)
        except BlockingIOError:
            sent = 0
        del self._unsent[:sent]
        if self._unsent:
            loop.add_writer(self._master, self._flush)
        else:
            loop.remove_writer(self._master)
