"""Which contacts somebody uses, recently and often: a weight that halves every week."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from gateway.directory.repository import Use

_HALF_LIFE = timedelta(days=7)
_MOST_EACH = 48
_MOST_PRINCIPALS = 1000


class Uses:
    """The uses in memory; the store keeps the same rows."""

    def __init__(self, rows: Iterable[Use] = ()) -> None:
        self._of: dict[str, dict[str, Use]] = {}
        for row in sorted(rows, key=lambda use: use.at):
            self.put(row)

    def next(self, principal: str, contact_id: str, now: datetime) -> Use:
        """Return the row to be written when *principal* uses a contact now."""
        before = self._of.get(principal, {}).get(contact_id)
        return Use(principal, contact_id, now, 1.0 + (0.0 if before is None else _weight(before, now)))

    def put(self, use: Use) -> None:
        """Take over a row; the weakest one goes when somebody has too many."""
        own = self._of.setdefault(use.principal, {})
        own[use.contact_id] = use
        if len(own) > _MOST_EACH:
            del own[min(own, key=lambda one: (_weight(own[one], use.at), one))]
        if len(self._of) > _MOST_PRINCIPALS:
            del self._of[next(iter(self._of))]

    def weights(self, principal: str, now: datetime) -> dict[str, float]:
        """Return the present weight of what *principal* uses."""
        return {contact: _weight(use, now) for contact, use in self._of.get(principal, {}).items()}


def _weight(use: Use, now: datetime) -> float:
    return use.weight * float(0.5 ** (max(timedelta(), now - use.at) / _HALF_LIFE))
