"""Files by the SHA-256 of their content: ``root/ab/cd/<digest>``.

Everything here blocks and belongs on a thread. A file is written under ``root/incoming``, synced, renamed to its place,
and the folders are synced: after a crash a file is whole at its place, or not there.
"""

import contextlib
import errno
import hashlib
import os
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.archive.errors import (
    ArchiveDamagedError,
    ArchiveFullError,
    ArchiveMissingError,
    ArchiveTooLargeError,
    ArchiveWriteError,
)
from gateway.core.errors import TrunklineError
from gateway.core.ids import new_id

CHUNK = 1 << 20
DIGEST = re.compile(r"[0-9a-f]{64}")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Stored:
    """A file at its place."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Stamp:
    """By what a file is known to be the same as when it was verified."""

    inode: int
    size: int
    modified_ns: int


class Folder:
    """The archive's files. ``reserve_bytes`` of the disk stay free, a file has at most ``max_bytes``."""

    def __init__(self, root: Path, *, max_bytes: int, reserve_bytes: int) -> None:
        self.root = root
        self.max_bytes = max_bytes
        self.reserve_bytes = reserve_bytes
        self._incoming = root / "incoming"
        self._damaged = root / "damaged"

    def prepare(self) -> int:
        """Make the folders and remove what a crash left half written; return how many files that was."""
        with _translated(self.root):
            for folder in (self.root, self._incoming, self._damaged):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            left = list(self._incoming.iterdir())
            for path in left:
                path.unlink(missing_ok=True)
            _sync(self.root)
            return len(left)

    def receive(self) -> "Incoming":
        """Begin a file; use it as a context: leaving without :meth:`Incoming.keep` leaves nothing."""
        return Incoming(self, self._incoming / new_id())

    def check_room(self) -> None:
        """Raise :class:`ArchiveFullError` when the reserve is touched."""
        free = shutil.disk_usage(self.root).free
        if free <= self.reserve_bytes:
            raise ArchiveFullError(free_bytes=free)

    def path(self, digest: str) -> Path:
        """Return the place of a file; a name that is no digest is refused, so that no path is ever made of it."""
        if DIGEST.fullmatch(digest) is None:
            raise ValueError(f"not a digest: {digest!r}")
        return self.root / digest[:2] / digest[2:4] / digest

    def stamp(self, digest: str) -> Stamp:
        """Return what tells whether the file was touched; raise :class:`ArchiveMissingError`."""
        try:
            found = self.path(digest).stat()
        except FileNotFoundError as error:
            raise ArchiveMissingError(digest=digest) from error
        except OSError as error:
            raise ArchiveWriteError(reason=str(error)) from error
        return Stamp(found.st_ino, found.st_size, found.st_mtime_ns)

    def verify(self, digest: str) -> Stamp:
        """Read the whole file and return its stamp; raise when it is missing or its digest is another."""
        stamp = self.stamp(digest)
        with _translated(self.root, missing=digest), self.path(digest).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest:
            raise ArchiveDamagedError(digest=digest)
        return stamp

    def read(self, digest: str, start: int, size: int) -> bytes:
        """Return up to *size* bytes from *start*."""
        with _translated(self.root, missing=digest), self.path(digest).open("rb") as file:
            file.seek(start)
            return file.read(size)

    def remove(self, digest: str) -> bool:
        """Remove a file; return whether it was there."""
        path = self.path(digest)
        with _translated(self.root):
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            _sync(path.parent)
            return True

    def set_aside(self, digest: str) -> None:
        """Move a damaged file out of the way, keeping it for whoever looks into it."""
        path = self.path(digest)
        with _translated(self.root, missing=digest):
            path.replace(self._damaged / f"{digest}.{new_id()}")
            _sync(self._damaged)
            _sync(path.parent)

    def digests(self) -> Iterator[str]:
        """Yield the names of all files at their places, in order."""
        for first in sorted(self.root.glob("[0-9a-f][0-9a-f]")):
            for second in sorted(first.glob("[0-9a-f][0-9a-f]")):
                for path in sorted(second.iterdir()):
                    if DIGEST.fullmatch(path.name) and path == self.path(path.name):
                        yield path.name


class Incoming:
    """A file on its way in: :meth:`write`, :meth:`seal`, :meth:`keep`, each on whatever thread, one at a time."""

    def __init__(self, folder: Folder, path: Path) -> None:
        self._folder = folder
        self._path = path
        self._hash = hashlib.sha256()
        self._size = 0
        self._file: int | None = None
        self._sealed: Stored | None = None
        self._closed = False
        self._busy = threading.Lock()  # a cancelled wait leaves its thread at work: closing waits for it

    def __enter__(self) -> Self:
        self.open()
        return self

    def open(self) -> None:
        """Make the file; raise when there is no room."""
        with self._busy, _translated(self._folder.root):
            if self._closed:
                raise ArchiveWriteError(reason="the file is closed")
            self._folder.check_room()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o600)

    def write(self, chunk: bytes) -> None:
        """Add bytes; raise when the document is too large or the disk is full."""
        with self._busy, _translated(self._folder.root):
            if self._file is None:
                raise ArchiveWriteError(reason="the file is closed")
            self._size += len(chunk)
            if self._size > self._folder.max_bytes:
                raise ArchiveTooLargeError(max_bytes=self._folder.max_bytes)
            self._folder.check_room()
            view = memoryview(chunk)
            while view:
                view = view[os.write(self._file, view) :]
            self._hash.update(chunk)

    def seal(self) -> Stored:
        """Make the content durable and say what it is."""
        with self._busy, _translated(self._folder.root):
            if self._file is None:
                raise ArchiveWriteError(reason="the file is closed")
            os.fsync(self._file)
            self._sealed = Stored(self._hash.hexdigest(), self._size)
            return self._sealed

    def keep(self) -> Stored:
        """Bring the sealed file to its place, durable.

        It takes the place of a file with the same digest: the content is the same, or was damaged and is healed.
        """
        with self._busy, _translated(self._folder.root):
            if self._sealed is None:
                raise ArchiveWriteError(reason="the file is not sealed")
            place = self._folder.path(self._sealed.digest)
            for folder in (place.parent.parent, place.parent):
                if not folder.exists():
                    folder.mkdir(mode=0o700, exist_ok=True)
                    _sync(folder.parent)
            self._path.replace(place)
            _sync(place.parent)
            return self._sealed

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; what was not kept is gone."""
        with self._busy:
            self._closed = True
            if self._file is not None:
                os.close(self._file)
                self._file = None
        with contextlib.suppress(OSError):  # what stays under incoming is removed at the next start
            self._path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _translated(root: Path, *, missing: str | None = None) -> Iterator[None]:
    try:
        yield
    except TrunklineError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            free = shutil.disk_usage(root).free if root.exists() else 0
            raise ArchiveFullError(free_bytes=free) from error
        if missing is not None and isinstance(error, FileNotFoundError):
            raise ArchiveMissingError(digest=missing) from error
        raise ArchiveWriteError(reason=f"{type(error).__name__} {error.errno}") from error
