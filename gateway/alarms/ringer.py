"""How a telephone is rung for an alarm; the telephone part implements it."""

import enum
from dataclasses import dataclass
from typing import Protocol

from gateway.core.text import Text


class RingOutcome(enum.StrEnum):
    """What came of ringing a telephone."""

    ACKNOWLEDGED = "acknowledged"  # somebody answered and confirmed with a key
    ANSWERED = "answered"  # answered, and perhaps only by a mailbox
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RingResult:
    """The outcome, why (for failures), and who confirmed (where that is known)."""

    outcome: RingOutcome
    reason: str = ""
    by: str = ""


class Ringer(Protocol):
    """Rings telephones."""

    async def ring(self, target: str, text: Text) -> RingResult:
        """Ring *target* (``positions``, ``duty_leader``, a number), say *text*, and return what came of it.

        A ``TrunklineError`` counts as failed. Cancelling hangs up.
        """
        ...
