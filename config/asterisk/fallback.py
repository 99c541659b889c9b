"""What Asterisk runs itself when the gateway is gone or hung: a classic AGI script that decides from a snapshot.

The gateway writes a :class:`Snapshot` whenever it changes. The dialplan runs this file as
``AGI(python,-I,fallback.py,SNAPSHOT,101:102)`` and then rings ``TL_PHONES``, or refuses by ``TL_TREATMENT``. Whatever
goes wrong here leaves both unset, and the dialplan rings every phone of its plan. The file imports nothing of the
project, so that it runs however the project is installed.
"""

import io
import json
import os
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# Who was ready is believed for this long after the gateway last wrote; then its configured fallback phones ring.
FRESH_S = 120.0
# The script's own end; the dialplan's absolute time-out is a second one.
DEADLINE_S = 2
_MOST_BYTES = 4_000_000
# What a file of another form raises: no JSON or not UTF-8, other types, lists in lists without end.
SPOILT = (ValueError, TypeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the gateway knew when it last wrote: phones by their number, blocked callers by their number as received.

    ``written_at`` is seconds since 1970; ``ready`` are the phones of operators who are ready for a call, ``fallback``
    the phones to ring when nobody is known to be ready.
    """

    written_at: float
    ready: tuple[str, ...] = ()
    fallback: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()

    def write(self, path: Path) -> None:
        """Replace the file at *path* whole, mode 0640. Blocking. Raises ``OSError``."""
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(asdict(self), file)
            Path(temporary).chmod(0o640)
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise

    @classmethod
    def read(cls, path: Path) -> "Snapshot":
        """Return what was last written. Raises ``OSError``, or one of :data:`SPOILT`."""
        with path.open("rb") as file:
            value: Any = json.loads(file.read(_MOST_BYTES))
        if not isinstance(value, dict):
            raise TypeError("not an object")
        written_at = value.get("written_at")
        if isinstance(written_at, bool) or not isinstance(written_at, int | float):
            raise TypeError("written_at is not a number")
        names = ("ready", "fallback", "blocked")
        return cls(float(written_at), *(_strings(value.get(name, [])) for name in names))


def decide(snapshot: Snapshot, caller: str, phones: tuple[str, ...], now: float) -> dict[str, str]:
    """Return the dialplan's variables for a call of *caller*: none, where every phone is to ring.

    Only *phones*, which Asterisk has, are ever dialled, whatever the snapshot says.
    """
    if caller and caller in snapshot.blocked:
        return {"TL_TREATMENT": "refuse"}
    fresh = 0 <= now - snapshot.written_at <= FRESH_S
    for wanted in (snapshot.ready if fresh else (), snapshot.fallback):
        ringing = [phone for phone in phones if phone in wanted]
        if ringing:
            return {"TL_PHONES": "&".join(f"PJSIP/{phone}" for phone in ringing)}
    return {}


def main(arguments: list[str]) -> int:
    """Answer one call; the exit code is for the log only."""
    signal.alarm(DEADLINE_S)
    from asterisk.agi import AGI, AGIException  # noqa: PLC0415 - after the alarm, which also bounds a slow import

    path, phones = Path(arguments[0]), tuple(arguments[1].split(":"))
    # pyst2 writes the whole dialogue, with the caller's number, to its error stream; that belongs in no log.
    agi = AGI(
        stdin=io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace"),
        stderr=io.StringIO(),
    )
    try:
        variables = decide(Snapshot.read(path), agi.env.get("agi_callerid", ""), phones, time.time())
        for name, value in variables.items():
            agi.set_variable(name, value)
    except (OSError, *SPOILT, AGIException) as error:
        sys.stderr.write(f"fallback: {type(error).__name__}: {error}\n")
        return 1
    return 0


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError("not a list of strings")
    return tuple(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
