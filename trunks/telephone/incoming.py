"""What a caller gets: the answer to Asterisk's question ``agi://…/incoming,<line>``."""

import re
from datetime import UTC, datetime

from gateway.asterisk.fastagi_session import AgiSession
from gateway.core.clock import Clock
from gateway.directory.numbers import Numbering
from trunks.telephone.book import CallBook
from trunks.telephone.calls import Call, Ringing, RingReason, Started
from trunks.telephone.events import Treatment
from trunks.telephone.lines import Lines
from trunks.telephone.options import UNASSIGNED_LINE, TelephoneOptions
from trunks.telephone.phones import Phones

_MOST_LABEL = 60
_PROMPT_S = 1.5
_GIVEN_UP_S = 4.0
"""A question that has waited (this process hung) is not of now: beyond ``_PROMPT_S`` the call is told with the time in
its unique id, which is in whole seconds; beyond ``_GIVEN_UP_S`` the dialplan has rung phones by itself, and AMI tells
of that. It is answered all the same: a clock that is wrong must not turn callers away."""
_UNIQUEID = re.compile(r"(?:.*-)?([0-9]{9,11})\.[0-9]+")


class IncomingCalls:
    """Answers for each caller at once, from memory.

    The caller does not wait for the disk: the call's id follows from Asterisk's, and what a crash takes from the store
    is told again from CEL, under the same id.
    """

    def __init__(
        self,
        *,
        options: TelephoneOptions,
        book: CallBook,
        lines: Lines,
        phones: Phones,
        numbering: Numbering,
        clock: Clock,
    ) -> None:
        self._options = options
        self._book = book
        self._lines = lines
        self._phones = phones
        self._numbering = numbering
        self._clock = clock
        parsed = (numbering.parse(written) for written in options.blocked)
        self._blocked = frozenset(number.value for number in parsed if number is not None)

    async def answer(self, session: AgiSession) -> None:
        """The FastAGI handler. What it sets is read by the dialplan; without ``TL_TREATMENT`` that falls back."""
        request = session.request
        wanted = request.arguments[0] if request.arguments else UNASSIGNED_LINE
        now = self._clock.wall()
        begun = _begun(request.uniqueid, now)
        call = self._book.observe(
            Started(
                at=begun,
                uniqueid=request.uniqueid,
                linkedid=request.uniqueid,
                direction="in",
                caller=request.caller_number,
                called=request.called_number,
                line=wanted,
            )
        )
        if call is None:
            raise RuntimeError("a start was not taken")
        phones = self._phones.to_ring()
        treatment = self._treat(call, wanted, phones, waited_s=(now - begun).total_seconds())
        variables = {"TL_CALL": call.id}
        if call.contact is not None:
            variables["CALLERID(name)"] = call.contact.label[:_MOST_LABEL]
        if treatment == "ring":
            variables["TL_PHONES"] = "&".join(f"PJSIP/{phone}" for phone in phones)
            variables["TL_RING_S"] = str(self._options.ring_s)
        variables["TL_TREATMENT"] = treatment
        await session.set_variables(variables)

    def _treat(self, call: Call, wanted: str, phones: list[str], *, waited_s: float) -> Treatment:
        caller = self._numbering.parse(call.caller)
        if caller is not None and caller.value in self._blocked:
            return "refuse"
        line = self._lines.of_call(call.id)
        reason: RingReason = "hunted"
        if line is None:
            if not self._options.overflow and waited_s <= _PROMPT_S:
                return "busy"
            reason = "overflow"
        elif line == wanted:
            reason = "line"
        if waited_s > _GIVEN_UP_S:
            return "ring"
        self._book.observe(
            Ringing(
                at=self._clock.wall(),
                uniqueid=call.uniqueid,
                linkedid=call.linkedid,
                phones=tuple(phones),
                reason=reason,
            )
        )
        return "ring"


def _begun(uniqueid: str, now: datetime) -> datetime:
    """When the caller's channel was made: now, unless its unique id (seconds since 1970, a dot, a count) is older."""
    match = _UNIQUEID.fullmatch(uniqueid)
    if match is None:
        return now
    begun = datetime.fromtimestamp(int(match[1]), UTC)
    return begun if (now - begun).total_seconds() > _PROMPT_S else now
