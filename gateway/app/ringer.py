"""Rings telephones for alarms: what a target means is known here, where alarms and switchboard meet."""

from collections.abc import Sequence
from typing import Protocol

from gateway.alarms.ringer import RingOutcome, RingResult
from gateway.core.text import Text


class Telephone(Protocol):
    """The part of the switchboard that rings."""

    async def ring(self, number: str, text: str) -> bool:
        """Ring a phone or number, showing *text*; tell whether it was answered."""
        ...


class TelephoneRinger:
    """See :class:`gateway.alarms.ringer.Ringer`. Telephones of one target are rung one after the other."""

    def __init__(self, telephone: Telephone, *, positions: Sequence[str], duty_leader: str) -> None:
        self._telephone = telephone
        self._targets = {"positions": tuple(positions), "duty_leader": (duty_leader,) if duty_leader else ()}

    async def ring(self, target: str, text: Text) -> RingResult:
        """Ring *target*: ``positions``, ``duty_leader``, or a number."""
        numbers = self._targets.get(target, (target,))
        if not numbers:
            return RingResult(RingOutcome.FAILED, reason=f"no number is configured for {target}")
        for number in numbers:
            if await self._telephone.ring(number, text.zh):
                return RingResult(RingOutcome.ANSWERED)
        return RingResult(RingOutcome.NO_ANSWER)
