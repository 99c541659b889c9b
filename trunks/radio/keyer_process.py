"""The process around a keyer: it alone owns the port of one transmitter.

``python -m trunks.radio.keyer_process FD``: FD is its end of a SOCK_SEQPACKET pair; the first packet is the setup. It
ends when the port is gone, or when its parent is gone and the radio is released. Its parent's death is noticed twice:
by the closed socket, and by the signal that Linux sends on it (PR_SET_PDEATHSIG).
"""

import ctypes
import os
import selectors
import signal
import socket
import sys
import time
from typing import Final

import msgspec

from trunks.radio.errors import SerialPortError
from trunks.radio.handshake import LinesKeyer
from trunks.radio.keyer import PeiKeyer
from trunks.radio.keyer_messages import PACKET_LIMIT, Failed, FromKeyer, Setup, pack, unpack_to_keyer
from trunks.radio.lease import Lease
from trunks.radio.pei_tables import Dialect
from trunks.radio.serial_port import SerialPort

LAST_TRY_S: Final = 30.0
"""How long a radio that does not confirm is told to cease after the parent is gone."""
_PR_SET_PDEATHSIG = 1
_SLICE = 4096


class KeyerProcess:
    """Moves octets and packets between port, socket and keyer until there is nothing left to hold."""

    def __init__(self, setup: Setup, control: socket.socket) -> None:
        self._control = control
        self._control.setblocking(False)
        self._port = SerialPort(setup.port, setup.baud, flow_control=setup.flow_control)
        lease = Lease(setup.hard_limit_s)
        self._pei: PeiKeyer | None = None
        self._keyer: PeiKeyer | LinesKeyer
        if setup.kind == "pei":
            self._pei = self._keyer = PeiKeyer(
                identity=setup.identity,
                sound_device=setup.sound_device,
                dialect=Dialect.named(setup.dialect),
                lease=lease,
                port_in_place=self._port.in_place,
            )
        else:
            self._keyer = LinesKeyer(
                self._port,
                ptt_lines=setup.ptt_lines,
                squelch_line=setup.squelch_line,
                squelch_inverted=setup.squelch_inverted,
                sound_device=setup.sound_device,
                lease=lease,
            )
        self._terminated = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._selector.register(self._port, selectors.EVENT_READ)

    def run(self) -> None:
        """Work until the port is gone, or the parent is gone and nothing is keyed."""
        # The signal wakes the wait below at once, because Python writes it to this pair.
        waker, woken = socket.socketpair()
        waker.setblocking(False)
        woken.setblocking(False)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._terminate)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the parent's to handle
        self._selector.register(woken, selectors.EVENT_READ)
        _die_with_parent()
        gone_s: float | None = None
        try:
            while True:
                now_s = time.monotonic()
                if self._terminated and not self._keyer.gone:
                    self._keyer.parent_gone(now_s)
                self._keyer.tick(now_s)
                self._move_out()
                if self._keyer.gone:
                    gone_s = gone_s or now_s
                    if self._keyer.released or now_s - gone_s > LAST_TRY_S:
                        return
                self._wait(now_s, woken)
        except SerialPortError as error:
            self._send(Failed(str(error.fields.get("reason", error))))
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """Release without waiting for anything: whatever ended this process, it does not end keyed."""
        try:
            if self._pei is not None:
                self._port.write(self._pei.last_words())
            elif not self._keyer.released:
                self._keyer.parent_gone(time.monotonic())
        except SerialPortError:
            return  # the port is gone; the next keyer releases

    def _terminate(self, _number: int, _frame: object) -> None:
        self._terminated = True

    def _wait(self, now_s: float, woken: socket.socket) -> None:
        writing = self._pei is not None and bool(self._pei.output())
        self._selector.modify(self._port, selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0))
        deadline_s = self._keyer.deadline_s()
        wait_s = 1.0 if deadline_s is None else max(0.0, min(1.0, deadline_s - now_s))
        for key, events in self._selector.select(wait_s):
            if key.fileobj is woken:
                woken.recv(_SLICE)
            elif key.fileobj is self._control:
                self._take_packets()
            elif events & selectors.EVENT_READ:
                data = self._port.read()
                if self._pei is not None:
                    self._pei.heard(data, time.monotonic())

    def _take_packets(self) -> None:
        try:
            packet = self._control.recv(PACKET_LIMIT)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        try:
            message = unpack_to_keyer(packet) if packet else None
        except msgspec.DecodeError:
            message = None  # a parent that talks nonsense is no parent
        if message is None:
            self._selector.unregister(self._control)
            self._keyer.parent_gone(time.monotonic())
            return
        self._keyer.told(message, time.monotonic())

    def _move_out(self) -> None:
        if self._pei is not None and (octets := self._pei.output()):
            self._pei.wrote(self._port.write(octets[:_SLICE]))
            self._pei.tick(time.monotonic())
        for message in self._keyer.messages():
            self._send(message)

    def _send(self, message: FromKeyer) -> None:
        # A parent that hangs does not empty its socket. What it does not take is lost: nothing may stop the keyer.
        try:
            self._control.send(pack(message))
        except OSError:
            return


def _die_with_parent() -> None:
    parent = os.getppid()
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        signal.raise_signal(signal.SIGTERM)


def main() -> None:
    """Run the keyer on the descriptor named by the first argument."""
    control = socket.socket(fileno=int(sys.argv[1]))
    try:
        setup = unpack_to_keyer(control.recv(PACKET_LIMIT))
    except msgspec.DecodeError:
        raise SystemExit(2) from None
    if not isinstance(setup, Setup):
        raise SystemExit(2)
    try:
        process = KeyerProcess(setup, control)
    except SerialPortError as error:
        control.send(pack(Failed(str(error.fields["reason"]))))
        raise SystemExit(1) from None
    process.run()


if __name__ == "__main__":
    main()
