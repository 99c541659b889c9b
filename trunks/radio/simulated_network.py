"""A simulated network: several radios, groups, a dispatcher's view, and what goes wrong on the air. Without I/O."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trunks.radio.simulated_make import GRANTED, OTHER, QUEUED, Call
from trunks.radio.simulator import TetraSimulator


@dataclass
class Weather:
    """What the network does. A test changes it as it goes."""

    grant: int = GRANTED
    """The answer to every demand on a free channel."""
    report: str = "received"
    """What becomes of the report of a message: ``received``, ``failed``, ``lost``, ``duplicate``, ``reversed``."""
    report_s: float = 0.05
    sending: bool = True
    """Whether messages leave the radio at all."""


class SimulatedNetwork:
    """Joins radios by their selected groups. What is not one of them is a radio of which only the voice is known."""

    def __init__(self) -> None:
        self.weather = Weather()
        self.radios: dict[str, TetraSimulator] = {}
        self._held: list[tuple[TetraSimulator, str, str]] = []
        self._later: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = itertools.count()

    def add(self, radio: TetraSimulator) -> None:
        """Let *radio* take part."""
        self.radios[radio.issi] = radio

    # The network, as its radios need it

    def decide(self, radio: TetraSimulator, call: Call, priority: int) -> int:
        """Return the grant for a demand: who speaks is not cut off but by a pre-emptive one."""
        del radio
        if call.talker and priority < 2:
            return QUEUED if self.weather.grant in (GRANTED, QUEUED) else OTHER
        return self.weather.grant

    def spoke(self, radio: TetraSimulator, call: Call, now_s: float) -> None:
        """Tell the other radios of the group who speaks."""
        for other in self._others(radio, call):
            instance = next((one.instance for one in other.calls.values() if one.peer == call.peer), None)
            if instance is None:
                instance = other.incoming(radio.issi, call.peer, now_s, group=True, priority=call.priority)
            if instance is not None:
                other.talking(instance, radio.issi, now_s)

    def ceased(self, radio: TetraSimulator, call: Call, now_s: float) -> None:
        """Tell the other radios of the group that nobody speaks."""
        for other in self._others(radio, call):
            for one in list(other.calls.values()):
                if one.peer == call.peer and one.talker == radio.issi:
                    other.silent(one.instance, now_s)

    def message(self, radio: TetraSimulator, called: str, service: int, digits: str, now_s: float) -> bool:
        """Deliver a message, and let its report come back as the weather is."""
        if not self.weather.sending:
            return False
        other = self.radios.get(called)
        if other is not None:
            other.receive(radio.issi, called, service, digits, now_s)
        elif service == 12 and len(digits) >= 6 and digits[:1] in "89" and digits[2] == "0":
            wanted = int(digits[3], 16) >> 2 & 3
            if wanted:
                self._report(radio, called, digits, now_s)
        return True

    def _report(self, radio: TetraSimulator, called: str, digits: str, now_s: float) -> None:
        status = "4A" if self.weather.report == "failed" else "00"
        report = f"{digits[:2]}10{status}{digits[4:6]}"
        if self.weather.report == "lost":
            return
        if self.weather.report == "reversed":
            self._held.insert(0, (radio, called, report))
            return
        for _ in range(2 if self.weather.report == "duplicate" else 1):
            self._at(now_s + self.weather.report_s, lambda at_s: radio.receive(called, radio.issi, 12, report, at_s))

    # The dispatcher's view

    def let_reports_go(self, now_s: float) -> None:
        """Deliver the reports that were held back, last first."""
        held, self._held = self._held, []
        for radio, called, report in held:
            radio.receive(called, radio.issi, 12, report, now_s)

    def talk(self, talker: str, group: str, now_s: float, *, priority: int = 0) -> None:
        """Somebody speaks to *group*; who speaks there already is pre-empted."""
        for radio in self._listening(group):
            instance = next((call.instance for call in radio.calls.values() if call.peer == group), None)
            if instance is None:
                instance = radio.incoming(talker, group, now_s, group=True, priority=priority)
            if instance is not None:
                radio.talking(instance, talker, now_s)

    def cease(self, group: str, now_s: float) -> None:
        """Whoever spoke to *group* stops."""
        for radio in self._listening(group):
            for call in list(radio.calls.values()):
                if call.peer == group:
                    radio.silent(call.instance, now_s)

    def end(self, group: str, now_s: float, cause: int = 13) -> None:
        """The call of *group* is over."""
        for radio in self._listening(group):
            for call in list(radio.calls.values()):
                if call.peer == group:
                    radio.end_call(call.instance, cause, now_s)

    def do(self, action: dict[str, Any], now_s: float) -> None:
        """Do one thing named by ``do``, as the control line of the command says it. Raises ``KeyError`` on others."""
        match action["do"]:
            case "talk":
                self.talk(action["talker"], action["group"], now_s, priority=action.get("priority", 0))
            case "cease":
                self.cease(action["group"], now_s)
            case "end":
                self.end(action["group"], now_s, action.get("cause", 13))
            case "message":
                self._bring(action, now_s)
            case "grant" | "report" | "sending" as name:
                setattr(self.weather, name, action[name])
            case "reports_go":
                self.let_reports_go(now_s)
            case _:
                for radio in self.radios.values():
                    _do_to_radio(radio, action, now_s)

    def _bring(self, action: dict[str, Any], now_s: float) -> None:
        for radio in self.radios.values():
            radio.receive(action["from"], radio.issi, action.get("service", 12), action["data"], now_s)

    # Time

    def deadline_s(self) -> float | None:
        """Return when :meth:`tick` must be called."""
        times = [radio.deadline_s() for radio in self.radios.values()] + [at_s for at_s, _, _ in self._later]
        return min((time for time in times if time is not None), default=None)

    def tick(self, now_s: float) -> None:
        """Do what time asks for."""
        due = sorted(entry for entry in self._later if entry[0] <= now_s)
        self._later = [entry for entry in self._later if entry[0] > now_s]
        for _, _, action in due:
            action(now_s)
        for radio in self.radios.values():
            radio.tick(now_s)

    def _at(self, at_s: float, action: Callable[[float], None]) -> None:
        self._later.append((at_s, next(self._order), action))

    def _others(self, radio: TetraSimulator, call: Call) -> list[TetraSimulator]:
        return [other for other in self._listening(call.peer) if other is not radio] if call.group else []

    def _listening(self, group: str) -> list[TetraSimulator]:
        return [radio for radio in self.radios.values() if radio.group == group]


def _do_to_radio(radio: TetraSimulator, action: dict[str, Any], now_s: float) -> None:
    match action["do"]:
        case "coverage":
            radio.coverage(action["state"], now_s)
        case "power_cycle":
            radio.power_on(now_s)
        case "power_off":
            radio.power_off(now_s)
        case "say":
            radio.say(action["line"], now_s)
        case unknown:
            raise KeyError(unknown)
