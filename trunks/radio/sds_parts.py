"""Parts of messages put together again. Pure: time is an argument."""

from dataclasses import dataclass, field

from trunks.radio import sds_text
from trunks.radio.sds import Transfer

MESSAGES_LIMIT = 256
PATIENCE_S = 600.0


@dataclass(slots=True)
class _Pending:
    total: int
    coding: int
    began_s: float
    payloads: dict[int, bytes] = field(default_factory=dict)

    def text(self) -> str:
        # Joined before it is read: another make may have cut within a character.
        return sds_text.decode(b"".join(self.payloads[index] for index in sorted(self.payloads)), self.coding)


class SdsParts:
    """Joins the parts of messages by sender and reference, in any order, each part once.

    At most :data:`MESSAGES_LIMIT` messages are kept; the oldest is given up for a new one.
    """

    def __init__(self) -> None:
        self._pending: dict[tuple[str, int], _Pending] = {}

    def add(self, sender: str, message: Transfer, now_s: float) -> str | None:
        """Take one message and return the text that it completes, if it does."""
        part = message.part
        if message.coding is None:
            return None
        if part is None or part.total <= 1:
            return message.text
        if not 1 <= part.index <= part.total:
            return None
        key = (sender, part.reference)
        pending = self._pending.get(key)
        if pending is None or (pending.total, pending.coding) != (part.total, message.coding):
            pending = self._pending[key] = _Pending(part.total, message.coding, now_s)
        pending.payloads.setdefault(part.index, message.payload)
        if len(pending.payloads) == part.total:
            del self._pending[key]
            return pending.text()
        while len(self._pending) > MESSAGES_LIMIT:
            del self._pending[min(self._pending, key=lambda key: self._pending[key].began_s)]
        return None

    def expire(self, now_s: float) -> list[tuple[str, str]]:
        """Return sender and what there is of every message that waited too long, and forget it."""
        late = [key for key, pending in self._pending.items() if now_s - pending.began_s >= PATIENCE_S]
        return [(key[0], self._pending.pop(key).text()) for key in late]
