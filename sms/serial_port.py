"""A serial port on the event loop. The one module that imports pyserial."""

import asyncio
import contextlib
import os
from typing import Protocol

import serial

from sms.errors import ModemLostError

_CHUNK = 4096
_UNSENT_LIMIT = 65_536
_QUEUE_LIMIT = 1024


class Port(Protocol):
    """Where octets to and from a modem go."""

    def write(self, data: bytes) -> None:
        """Send, without waiting. Raises :class:`ModemLostError`."""
        ...

    async def read(self) -> bytes:
        """Return what came, at least one octet. Raises :class:`ModemLostError` once the port is gone."""
        ...

    def close(self) -> None:
        """Let go of the port."""
        ...


class SerialPort:
    """A port that pyserial opened, locked against other programs, read without blocking."""

    def __init__(self, device: serial.Serial) -> None:
        self._device = device
        self._fd: int = device.fileno()
        self._received: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUE_LIMIT)
        self._unsent = bytearray()
        self._lost = ""
        os.set_blocking(self._fd, False)
        asyncio.get_running_loop().add_reader(self._fd, self._readable)

    def write(self, data: bytes) -> None:
        """See :class:`Port`."""
        if self._lost or len(self._unsent) + len(data) > _UNSENT_LIMIT:
            raise ModemLostError(reason=self._lost or "it takes nothing")
        self._unsent += data
        self._flush()

    async def read(self) -> bytes:
        """See :class:`Port`."""
        data = await self._received.get()
        if data is None:
            raise ModemLostError(reason=self._lost)
        return data

    def close(self) -> None:
        """See :class:`Port`."""
        self._forget()
        with contextlib.suppress(OSError, serial.SerialException):
            self._device.close()

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error.strerror or "error")
            return
        if not data:
            self._lose("hung up")
        elif not self._received.full():  # who does not read for so long has lost the dialogue anyway
            self._received.put_nowait(data)

    def _flush(self) -> None:
        try:
            sent = os.write(self._fd, self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._lose(error.strerror or "error")
            raise ModemLostError(reason=self._lost) from error
        del self._unsent[:sent]
        loop = asyncio.get_running_loop()
        if self._unsent:
            loop.add_writer(self._fd, self._flush_later)
        else:
            loop.remove_writer(self._fd)

    def _flush_later(self) -> None:
        with contextlib.suppress(ModemLostError):
            self._flush()

    def _lose(self, reason: str) -> None:
        self._lost = reason
        self._forget()
        if self._received.full():
            self._received.get_nowait()
        self._received.put_nowait(None)

    def _forget(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._fd)
        loop.remove_writer(self._fd)


async def open_serial(path: str, baud_rate: int) -> SerialPort:
    """Open *path*; raise :class:`ModemLostError` when it is not there, is in use, or is no serial port."""
    try:
        device = await asyncio.to_thread(serial.Serial, path, baud_rate, timeout=0, write_timeout=0, exclusive=True)
    except (OSError, ValueError, serial.SerialException) as error:
        raise ModemLostError(reason=str(error)) from error
    return SerialPort(device)
