"""The lease of a transmitter: who may keep it keyed, and until when. Pure: time is an argument.

Laws, tested over any interleaving: nobody is keyed later than :data:`LEASE_S` after the holder's last renewal, nor
longer than the hard limit in one go; once the hard limit was reached, nobody is keyed before somebody let go.
"""

LEASE_S = 0.5
"""How long one renewal lasts."""
HARD_LIMIT_S = 180.0


class Lease:
    """At most one holder. *hard_limit_s* bounds one transmission whatever is renewed."""

    def __init__(self, hard_limit_s: float = HARD_LIMIT_S, lease_s: float = LEASE_S) -> None:
        self._hard_limit_s = hard_limit_s
        self._lease_s = lease_s
        self._until_s = 0.0
        self._hard_until_s = 0.0
        self.holder = ""
        """Who holds it; empty when nobody does."""
        self.latched = False
        """Whether the hard limit was reached, and nobody has let go since."""

    def take(self, holder: str, now_s: float) -> str:
        """Give it to *holder*; return why not, or an empty text."""
        if self.latched:
            return "time_limit"
        if self.holder and self.holder != holder:
            return "held"
        if not self.holder:
            self._hard_until_s = now_s + self._hard_limit_s
        self.holder = holder
        self._until_s = now_s + self._lease_s
        return ""

    def renew(self, holder: str, now_s: float) -> bool:
        """Prolong it; of somebody who does not hold it, or too late, this means nothing."""
        if not self.holder or holder != self.holder or self.due(now_s):
            return False
        self._until_s = now_s + self._lease_s
        return True

    def give_up(self) -> None:
        """Let go: nobody holds it, and the hard limit is forgiven."""
        self.holder = ""
        self.latched = False

    def due(self, now_s: float) -> str:
        """Return why the transmission must end now: ``lapsed`` or ``time_limit``; an empty text when it need not."""
        if not self.holder:
            return ""
        if now_s >= self._hard_until_s:
            return "time_limit"
        return "lapsed" if now_s >= self._until_s else ""

    def end(self, reason: str) -> None:
        """Take it away; after the hard limit it stays away until somebody lets go."""
        self.holder = ""
        self.latched = self.latched or reason == "time_limit"

    def deadline_s(self) -> float | None:
        """Return when :meth:`due` will next have to be asked."""
        return min(self._until_s, self._hard_until_s) if self.holder else None
