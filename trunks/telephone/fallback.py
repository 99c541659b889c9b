"""What Asterisk is to know when the gateway is gone: written down at every change, and again before it grows old."""

import asyncio
from pathlib import Path

from config.asterisk.fallback import FRESH_S, Snapshot
from gateway.core.clock import Clock
from gateway.core.errors import Kind, TrunklineError
from gateway.core.supervisor import Reporter
from gateway.core.text import Text
from trunks.telephone.options import TelephoneOptions
from trunks.telephone.phones import Phones

_AGAIN_S = FRESH_S / 4


class FallbackFileError(TrunklineError):
    """The snapshot cannot be written."""

    code = "tel.fallback_file"
    kind = Kind.UNAVAILABLE
    cause = Text("The fallback snapshot {path} cannot be written: {reason}.", "无法写入后备快照 {path}：{reason}。")
    action = Text("Check the folder's rights and the disk.", "请检查目录权限和磁盘。")


class FallbackSnapshot:
    """Keeps the snapshot file of the dialplan's fallback; an adapter named ``fallback``."""

    name = "fallback"

    def __init__(self, path: Path, options: TelephoneOptions, phones: Phones, clock: Clock) -> None:
        self._path = path
        self._options = options
        self._phones = phones
        self._clock = clock
        self._changed = asyncio.Event()
        phones.listen(self._changed.set)

    async def run(self, reporter: Reporter) -> None:
        """Write until cancelled. Raises :class:`FallbackFileError`."""
        while True:
            self._changed.clear()
            snapshot = Snapshot(
                written_at=self._clock.wall().timestamp(),
                ready=tuple(self._phones.present()),
                fallback=tuple(self._phones.numbers()),
                blocked=self._options.blocked,
            )
            try:
                await asyncio.to_thread(snapshot.write, self._path)
            except OSError as error:
                raise FallbackFileError(path=str(self._path), reason=str(error)) from error
            reporter.ready()
            try:
                async with self._clock.timeout(_AGAIN_S):
                    await self._changed.wait()
            except TimeoutError:
                continue
