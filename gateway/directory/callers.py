"""Who is calling: what the directory needs to be told of calls, and what it answers."""

from datetime import datetime
from typing import Protocol

from gateway.core.events import Message
from gateway.directory.contact import ContactRef


class Seen(Message, frozen=True, kw_only=True):
    """What is known of a number from earlier calls: it called ``calls_week`` times in seven days.

    ``last_with`` names the operator who last spoke with it, empty when nobody did.
    """

    calls_week: int
    last_at: datetime
    last_with: str = ""


class CallHistory(Protocol):
    """Earlier calls, as whoever keeps them tells of them."""

    async def seen(self, canonical: str, *, since: datetime) -> Seen | None:
        """Return what is known of a number in its canonical form; None when it never called or was called.

        ``calls_week`` counts the calls since *since*; the last call may lie before.
        """
        ...


class Duty(Protocol):
    """Who is on duty now."""

    def __call__(self) -> frozenset[str]:
        """Return the ids of the contacts, without a wait."""
        ...


class Caller(Message, frozen=True, kw_only=True):
    """Whose number it is, best first, and what is known of it from earlier calls."""

    number: str
    contacts: list[ContactRef]
    seen: Seen | None = None


def nobody() -> frozenset[str]:
    """Be the duty table where there is none."""
    return frozenset()
