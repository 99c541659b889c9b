"""One writer of a state folder at a time, over processes."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.store.errors import StoreLockedError, StoreUnavailableError


class ExclusiveLock:
    """Holds ``<folder>/lock`` (``flock``), so that the daemon and an offline command never write together.

    The kernel lets go of it when the process ends, however it ends; the file stays and names the last holder.
    Raises ``StoreLockedError`` at once when another process (or another instance in this one) has it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fd = -1

    def acquire(self) -> None:
        """Take the lock without waiting; create the folder (0700) when it is missing. Blocking file access."""
        path = self._folder / "lock"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailableError(reason=f"{path}: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "?"
            os.close(fd)
            raise StoreLockedError(place=str(self._folder), holder=f"pid {holder}") from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode("ascii"), 0)
        self._fd = fd

    def release(self) -> None:
        """Let go; harmless when it is not held."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
