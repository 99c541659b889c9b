"""The lines: a state machine as a literal table, and who gets which line. Pure."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from gateway.core.errors import InternalError
from trunks.telephone.options import UNASSIGNED_LINE, LineOptions


class LineState(enum.StrEnum):
    """What a line does."""

    OUT_OF_SERVICE = "out_of_service"
    IDLE = "idle"
    RINGING = "ringing"
    DIALLING = "dialling"
    IN_CALL = "in_call"


class LineInput(enum.Enum):
    """What can befall a line."""

    OFFERED = enum.auto()  # a caller is put on it
    SEIZED = enum.auto()  # taken to dial out
    ANSWERED = enum.auto()  # the other side, or an operator, has answered
    CLEARED = enum.auto()  # its call is over
    LOST = enum.auto()  # Asterisk is out of sight
    RESTORED = enum.auto()  # Asterisk is back, and its calls are known again


_S = LineState
_I = LineInput

# None: this cannot happen in that state. A call outlives the sight of it: LOST takes only idle lines out of service. A
# caller who arrives while only AMI is down is served by FastAGI all the same, hence OFFERED out of service.
TABLE: Mapping[LineState, Mapping[LineInput, LineState | None]] = MappingProxyType(
    {
        _S.OUT_OF_SERVICE: {
            _I.OFFERED: _S.RINGING,
            _I.SEIZED: None,
            _I.ANSWERED: None,
            _I.CLEARED: _S.OUT_OF_SERVICE,
            _I.LOST: _S.OUT_OF_SERVICE,
            _I.RESTORED: _S.IDLE,
        },
        _S.IDLE: {
            _I.OFFERED: _S.RINGING,
            _I.SEIZED: _S.DIALLING,
            _I.ANSWERED: None,
            _I.CLEARED: _S.IDLE,
            _I.LOST: _S.OUT_OF_SERVICE,
            _I.RESTORED: _S.IDLE,
        },
        _S.RINGING: {
            _I.OFFERED: None,
            _I.SEIZED: None,
            _I.ANSWERED: _S.IN_CALL,
            _I.CLEARED: _S.IDLE,
            _I.LOST: _S.RINGING,
            _I.RESTORED: _S.RINGING,
        },
        _S.DIALLING: {
            _I.OFFERED: None,
            _I.SEIZED: None,
            _I.ANSWERED: _S.IN_CALL,
            _I.CLEARED: _S.IDLE,
            _I.LOST: _S.DIALLING,
            _I.RESTORED: _S.DIALLING,
        },
        _S.IN_CALL: {
            _I.OFFERED: None,
            _I.SEIZED: None,
            _I.ANSWERED: _S.IN_CALL,
            _I.CLEARED: _S.IDLE,
            _I.LOST: _S.IN_CALL,
            _I.RESTORED: _S.IN_CALL,
        },
    }
)


def step(state: LineState, given: LineInput) -> LineState:
    """Return the state after *given*; raise ``InternalError`` where it cannot happen."""
    after = TABLE[state][given]
    if after is None:
        raise InternalError(what=f"line input {given.name} in state {state}")
    return after


@dataclass(frozen=True, slots=True)
class Occupied:
    """A line as it is now; ``call`` is the call on it, if any."""

    state: LineState
    call: str = ""


class Lines:
    """Which call is on which line. Every line has at most one call, and every call at most one line."""

    def __init__(self, options: Sequence[LineOptions]) -> None:
        self._options = {line.name: line for line in sorted(options, key=lambda line: line.priority)}
        self._by_number = {number: line.name for line in options for number in line.numbers}
        self._now = {name: Occupied(LineState.OUT_OF_SERVICE) for name in self._options}
        self._of_call: dict[str, str] = {}
        self._in_sight = False

    def names(self) -> list[str]:
        """Return the lines, the first to be taken first."""
        return list(self._options)

    def options(self, name: str) -> LineOptions:
        """Return the settings of a line; ``KeyError`` for one that does not exist."""
        return self._options[name]

    def now(self, name: str) -> Occupied:
        """Return what a line does."""
        return self._now[name]

    def of_call(self, call: str) -> str | None:
        """Return the line that *call* is on."""
        return self._of_call.get(call)

    def line_of_number(self, number: str) -> str:
        """Return the line that a called number belongs to, or ``line-unassigned``."""
        return self._by_number.get(number, UNASSIGNED_LINE)

    def offer(self, call: str, wanted: str) -> str:
        """Put an incoming *call* on *wanted*, else on the next free line of its group, else on ``line-unassigned``."""
        if call in self._of_call:
            return self._of_call[call]
        candidates = [wanted] if wanted in self._options else []
        group = self._options[wanted].group if candidates else None
        candidates += [name for name, line in self._options.items() if group is None or line.group == group]
        for name in candidates:
            if self._options[name].direction != "out" and not self._now[name].call:
                self._take(name, call, LineInput.OFFERED)
                return name
        return UNASSIGNED_LINE

    def seize(self, call: str, wanted: str | None = None) -> str | None:
        """Take *wanted*, or any free line (those only for dialling out first), to dial out; None when there is none."""
        names = [wanted] if wanted is not None else sorted(self._options, key=self._dial_order)
        for name in names:
            if self.can_dial(name):
                self._take(name, call, LineInput.SEIZED)
                return name
        return None

    def can_dial(self, name: str) -> bool:
        """Tell whether a line could be taken to dial out now."""
        free = name in self._options and self._now[name].state is LineState.IDLE
        return free and self._options[name].direction != "in"

    def adopt(self, call: str, name: str, *, outgoing: bool) -> None:
        """Put a call that already lives on its line, when that line is free; otherwise it keeps no line."""
        if name not in self._options or self._now[name].call or call in self._of_call:
            return
        if outgoing and self._now[name].state is LineState.OUT_OF_SERVICE:
            self._give(name, LineInput.RESTORED)
        self._take(name, call, LineInput.SEIZED if outgoing else LineInput.OFFERED)

    def answered(self, call: str) -> None:
        """The call on a line was answered."""
        name = self._of_call.get(call)
        if name is not None:
            self._give(name, LineInput.ANSWERED)

    def cleared(self, call: str) -> None:
        """A call is over; its line is free."""
        name = self._of_call.pop(call, None)
        if name is None:
            return
        self._now[name] = Occupied(step(self._now[name].state, LineInput.CLEARED))
        if not self._in_sight:
            self._give(name, LineInput.LOST)

    def lost(self) -> None:
        """Asterisk is out of sight."""
        self._in_sight = False
        for name in self._now:
            self._give(name, LineInput.LOST)

    def restored(self) -> None:
        """Asterisk is in sight."""
        self._in_sight = True
        for name in self._now:
            self._give(name, LineInput.RESTORED)

    def _dial_order(self, name: str) -> tuple[bool, int]:
        line = self._options[name]
        return line.direction != "out", -line.priority  # callers are offered the first lines, so dial on the last

    def _take(self, name: str, call: str, given: LineInput) -> None:
        self._now[name] = Occupied(step(self._now[name].state, given), call)
        self._of_call[call] = name

    def _give(self, name: str, given: LineInput) -> None:
        before = self._now[name]
        self._now[name] = Occupied(step(before.state, given), before.call)
