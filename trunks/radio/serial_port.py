"""The only module that opens serial ports.

Octets are read and written without blocking, so that a radio that stops the flow stops nothing else. Linux raises DTR
and RTS when a port is opened: they are lowered at once, and an interface must survive that pulse. Closing, and the
death of the process, lower them (HUPCL).
"""

import os
import stat
import termios
from collections.abc import Iterable
from typing import Literal

import serial

from trunks.radio.errors import SerialPortError

OutLine = Literal["rts", "dtr"]
InLine = Literal["cts", "dsr", "dcd"]
READ_OCTETS = 4096


class SerialPort:
    """One serial port, opened for this process alone. 8N1; *flow_control* is by RTS and CTS."""

    def __init__(self, path: str, baud: int, *, flow_control: bool = False) -> None:
        self.path = path
        try:
            self._port = serial.Serial()
            self._port.port = path
            self._port.baudrate = baud
            self._port.rtscts = flow_control
            self._port.timeout = 0
            self._port.exclusive = True
            self._port.dtr = self._port.rts = False
            self._port.open()
            self._set_terminal()
        except (OSError, ValueError, termios.error) as error:
            raise SerialPortError(port=path, reason=str(error)) from error

    def fileno(self) -> int:
        """Return the descriptor, to be waited for."""
        return self._port.fileno()

    def read(self) -> bytes:
        """Return what has arrived; raise :class:`SerialPortError` when the port is gone."""
        try:
            data = os.read(self.fileno(), READ_OCTETS)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise SerialPortError(port=self.path, reason=str(error)) from error
        if not data:
            raise SerialPortError(port=self.path, reason="hung up")
        return data

    def write(self, data: bytes) -> int:
        """Write what the port takes now, and return how many octets that was."""
        try:
            return os.write(self.fileno(), data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise SerialPortError(port=self.path, reason=str(error)) from error

    def set_lines(self, lines: Iterable[OutLine], *, on: bool) -> None:
        """Raise or lower *lines*."""
        try:
            for line in lines:
                setattr(self._port, line, on)
        except OSError as error:
            raise SerialPortError(port=self.path, reason=str(error)) from error

    def line(self, line: InLine) -> bool:
        """Return whether *line* is raised from outside."""
        try:
            return bool(self._port.cd if line == "dcd" else getattr(self._port, line))
        except OSError as error:
            raise SerialPortError(port=self.path, reason=str(error)) from error

    def in_place(self) -> bool:
        """Tell whether the path still leads to the device that is open: a replug may have given it to another."""
        try:
            named, held = os.stat(self.path), os.fstat(self.fileno())  # noqa: PTH116  # pairs with fstat
        except OSError:
            return False
        return stat.S_ISCHR(named.st_mode) and (named.st_rdev, named.st_ino) == (held.st_rdev, held.st_ino)

    def close(self) -> None:
        """Close it, which lowers DTR and RTS."""
        self._port.close()

    def _set_terminal(self) -> None:
        attributes = termios.tcgetattr(self.fileno())
        attributes[2] |= termios.HUPCL
        # With a minimum of one octet, an empty read means that the line was hung up, and never that nothing came.
        attributes[6][termios.VMIN], attributes[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self.fileno(), termios.TCSANOW, attributes)
