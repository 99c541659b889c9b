"""The simulated radio on a pseudo terminal: ``trunkline simulate tetra --pty PATH [--log FILE]``."""

import contextlib
import json
import os
import selectors
import socket
import time
import tty
from pathlib import Path
from typing import Any, TextIO

from trunks.radio.simulated_make import Quirks
from trunks.radio.simulated_network import SimulatedNetwork
from trunks.radio.simulator import TetraSimulator

_SLICE = 4096


class PtySimulator:
    """Serves one simulated radio at *path*, a symbolic link to the pseudo terminal, until :meth:`stop`.

    *control* is a descriptor from which actions are read, one JSON object in each line (see
    :meth:`SimulatedNetwork.do`). The log holds one JSON object for each thing that arrived or was sent, with the time
    of ``CLOCK_MONOTONIC``, by which it can be compared with other programs of the machine.
    """

    def __init__(self, path: Path, issi: str, quirks: Quirks, log: TextIO, control: int | None = None) -> None:
        self._path = path
        self._file = log
        self._network = SimulatedNetwork()
        self._radio = TetraSimulator(issi, self._network, quirks=quirks, log=self._write_log)
        self._network.add(self._radio)
        self._control = control
        self._typed = b""
        self._running = True
        self._waiting = bytearray()
        self._waker, self._woken = socket.socketpair()

    def stop(self) -> None:
        """End :meth:`run` now; may be called by a signal or from another thread."""
        self._running = False
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    def run(self) -> None:
        """Serve until stopped."""
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        fresh = self._path.with_name(self._path.name + ".new")
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        fresh.symlink_to(os.ttyname(slave))
        fresh.replace(self._path)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._woken, selectors.EVENT_READ)
                selector.register(master, selectors.EVENT_READ)
                if self._control is not None:
                    selector.register(self._control, selectors.EVENT_READ)
                self._radio.power_on(time.monotonic())
                while self._running:
                    self._turn(selector, master)
        finally:
            self._waker.close()
            self._woken.close()
            self._path.unlink(missing_ok=True)
            os.close(master)
            os.close(slave)

    def _turn(self, selector: selectors.BaseSelector, master: int) -> None:
        self._network.tick(time.monotonic())
        for chunk in self._radio.output():
            self._waiting += chunk
        if self._waiting:
            with contextlib.suppress(BlockingIOError):
                del self._waiting[: os.write(master, self._waiting[:_SLICE])]
        selector.modify(master, selectors.EVENT_READ | (selectors.EVENT_WRITE if self._waiting else 0))
        deadline_s = self._network.deadline_s()
        wait_s = 1.0 if deadline_s is None else max(0.0, deadline_s - time.monotonic())
        for key, events in selector.select(min(1.0, wait_s)):
            if key.fd == master and events & selectors.EVENT_READ:
                self._radio.feed(os.read(master, _SLICE), time.monotonic())
            elif key.fd == self._control:
                self._controlled(selector)

    def _controlled(self, selector: selectors.BaseSelector) -> None:
        control = self._control
        data = os.read(control, _SLICE) if control is not None else b""
        if not data and control is not None:
            selector.unregister(control)
            self._control = None
            return
        *lines, self._typed = (self._typed + data).split(b"\n")
        for line in lines:
            now_s = time.monotonic()
            try:
                self._network.do(json.loads(line), now_s)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                self._write_log({"t": now_s, "event": "bad_control", "reason": repr(error)})

    def _write_log(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self._file.flush()
