"""Rings telephones for alarms: what a target means is known here, where alarms and switchboard meet."""

from collections.abc import Sequence
from typing import Protocol

from gateway.alarms.ringer import RingOutcome, RingResult
from gateway.core.errors import TrunklineError
from gateway.core.text import Text

_SHORTEST_S = 5.0
_MARGIN_S = 1.0  # for the exchange itself, so that its own answer comes before the time is up


class Telephone(Protocol):
    """The part of the switchboard that rings."""

    async def ring(self, number: str, text: str, *, ring_s: float) -> bool:
        """Ring a phone or number for *ring_s*, showing *text*; tell whether it was answered."""
        ...


class TelephoneRinger:
    """See :class:`gateway.alarms.ringer.Ringer`. Telephones of one target are rung one after the other.

    They share *timeout_s*, the longest that one target may take; one that cannot be rung hinders no other.
    """

    def __init__(self, telephone: Telephone, *, positions: Sequence[str], duty_leader: str, timeout_s: float) -> None:
        self._telephone = telephone
        self._timeout_s = timeout_s
        self._targets = {"positions": tuple(positions), "duty_leader": (duty_leader,) if duty_leader else ()}

    async def ring(self, target: str, text: Text) -> RingResult:
        """Ring *target*: ``positions``, ``duty_leader``, or a number."""
        numbers = self._targets.get(target, (target,))
        if not numbers:
            return RingResult(RingOutcome.FAILED, reason=f"no number is configured for {target}")
        ring_s = max(_SHORTEST_S, self._timeout_s / len(numbers) - _MARGIN_S)
        failures: list[str] = []
        for number in numbers:
            try:
                if await self._telephone.ring(number, text.zh, ring_s=ring_s):
                    return RingResult(RingOutcome.ANSWERED)
            except TrunklineError as error:
                failures.append(error.code)
        if len(failures) == len(numbers):
            return RingResult(RingOutcome.FAILED, reason=", ".join(sorted(set(failures))))
        return RingResult(RingOutcome.NO_ANSWER)
