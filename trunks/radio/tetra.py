"""What a TETRA radio's messages mean, as events of the contract. Pure: time is an argument.

A radio forgets and repeats: a grant or a talker in a call whose beginning was missed is a late entry, an end of a call
that is not known means nothing, and a message that came twice is told once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType

from trunks.radio import pei, sds
from trunks.radio.driver import (
    CallEnded,
    CallProgressed,
    CallStarted,
    GroupsHeard,
    PositionHeard,
    RadioEvent,
    RegistrationHeard,
    SignalHeard,
    StatusHeard,
    TalkEnded,
    TalkStarted,
    TextHeard,
    TransmitChanged,
    Verdict,
)
from trunks.radio.pei import Indication
from trunks.radio.pei_tables import Grant, Registration, Release, signal_dbm
from trunks.radio.sds_parts import SdsParts

STATUS_SERVICE = 13
TRANSPORT_SERVICE = 12
REPEATED_S = 120.0
_REPEATS_LIMIT = 256
_PROGRESS = MappingProxyType({0: "progressing", 1: "queued", 2: "paged", 3: "continue", 4: "hang_time"})
_VERDICTS = MappingProxyType(
    {
        Grant.GRANTED: Verdict.GRANTED,
        Grant.REFUSED: Verdict.REFUSED,
        Grant.QUEUED: Verdict.QUEUED,
        Grant.OTHER: Verdict.TAKEN,
    }
)


def short(identity: str) -> str:
    """Return the last 8 digits without leading zeros: the same radio, told with or without its network."""
    return identity[-8:].lstrip("0")


def grant_of(indication: Indication) -> Verdict | None:
    """Return what a ``+CTXG`` decided; nothing for a value that is not known, which is never a grant."""
    number = indication.number("grant")
    return _VERDICTS[Grant(number)] if number in set(Grant) else None


@dataclass(frozen=True, slots=True)
class ReportHeard:
    """A report about a message that was sent: *status* as in :class:`trunks.radio.sds.Delivery`."""

    sender: str
    reference: int
    status: int


@dataclass(frozen=True, slots=True)
class ReportOwed:
    """A report that the sender of a message wants."""

    called: str
    digits: str


TetraEvent = RadioEvent | ReportHeard | ReportOwed


@dataclass(slots=True)
class TetraCall:
    """A call as far as its messages told."""

    instance: int
    calling: str = ""
    called: str = ""
    group: bool = True
    priority: int = 0
    incoming: bool = True
    talker: str = ""
    demanded: bool = False
    """Whether this side wants to speak."""
    transmitting: bool = False


@dataclass(slots=True)
class TetraTranslator:
    """Keeps the calls of one radio, and turns its messages into events."""

    calls: dict[int, TetraCall] = field(default_factory=dict)
    dialled: TetraCall | None = None
    """The call that was asked for and has no number yet."""
    group: str = ""
    """The selected group."""
    _parts: SdsParts = field(default_factory=SdsParts)
    _repeats: dict[tuple[str, str], float] = field(default_factory=dict)

    def heard(self, event: Indication, now_s: float) -> list[TetraEvent]:
        """Return what *event* means."""
        meaning: Callable[[Indication, float], list[TetraEvent]] | None = {
            "CTICN": self._incoming,
            "CTOCP": self._progress,
            "CTCC": self._connected,
            "CTXG": self._grant,
            "CTXI": self._interrupt,
            "CDTXC": self._ceased,
            "CTCR": self._released,
            "CREG": self._registration,
            "CSQ": self._signal,
            "CTGS": self._groups,
            "CTSDSR": self._message,
        }.get(event.name)
        return [] if meaning is None else meaning(event, now_s)

    def forget(self) -> list[TetraEvent]:
        """The radio was switched off or unplugged: every call is over."""
        told: list[TetraEvent] = [CallEnded(instance, "radio_lost") for instance in self.calls]
        self.calls.clear()
        self.dialled = None
        return told

    def call_of(self, called: str) -> TetraCall | None:
        """Return the call with the group or radio *called*, if there is one."""
        return next((call for call in self.calls.values() if short(call.called) == short(called)), None)

    # Calls

    def _incoming(self, event: Indication, _now_s: float) -> list[TetraEvent]:
        instance = event.number("instance")
        if instance is None:
            return []
        call = TetraCall(
            instance,
            event.identity("calling"),
            event.identity("called") or self.group,
            group=event.number("comms") != 0,
            priority=event.number("priority") or 0,
        )
        told: list[TetraEvent] = [CallEnded(instance, "replaced")] if instance in self.calls else []
        self.calls[instance] = call
        return [*told, self._started(call)]

    def _started(self, call: TetraCall, *, late: bool = False) -> CallStarted:
        return CallStarted(
            call.instance, call.calling, call.called, call.group, call.priority, incoming=call.incoming, late=late
        )

    def _entered(self, instance: int) -> tuple[TetraCall, list[TetraEvent]]:
        """Return the call *instance*, begun by us or missed so far, and what that means."""
        call = self.calls.get(instance)
        if call is not None:
            return call, []
        dialled, self.dialled = self.dialled, None
        if dialled is not None:
            dialled.instance = instance
            self.calls[instance] = dialled
            return dialled, [self._started(dialled)]
        call = self.calls[instance] = TetraCall(instance, called=self.group)
        return call, [self._started(call, late=True)]

    def _progress(self, event: Indication, _now_s: float) -> list[TetraEvent]:
        instance = event.number("instance")
        if instance is None:
            return []
        _, told = self._entered(instance)
        progress = _PROGRESS.get(event.number("status") or 0, "unknown")
        return [*told, CallProgressed(instance, progress)]

    def _connected(self, event: Indication, _now_s: float) -> list[TetraEvent]:
        instance = event.number("instance")
        return [] if instance is None else self._entered(instance)[1]

    def _grant(self, event: Indication, _now_s: float) -> list[TetraEvent]:
        instance, verdict = event.number("instance"), grant_of(event)
        if instance is None or verdict is None:
            return []
        call, told = self._entered(instance)
        if verdict is not Verdict.TAKEN:
            call.transmitting = verdict is Verdict.GRANTED
            return [*told, TransmitChanged(verdict)]
        return [*told, *self._lost(call, "taken"), *self._talker(call, event.identity("talker"))]

    def _interrupt(self, event: Indication, _now_s: float) -> list[TetraEvent]:
        instance = event.number("instance")
        if instance is None:
            return []
        call, told = self._entered(instance)
        return [*told, *self._lost(call, "preempted"), *self._talker(call, event.identity("talker"))]

    def _lost(self, call: TetraCall, reason: str) -> list[TetraEvent]:
        if not call.transmitting:
            return [TransmitChanged(Verdict.TAKEN)] if call.demanded and reason == "taken" else []
        call.transmitting = False
        return [TransmitChanged(None, "preempted")]

    def _talker(self, call: TetraCall, talker: str) -> list[TetraEvent]:
        told: list[TetraEvent] = [TalkEnded(call.instance, free=False)] if call.talker not in ("", talker) else []
        if call.talker == talker and talker:
            return told
        call.talker = talker
        return [*told, TalkStarted(call.instance, talker)]

    def _ceased(self, event: Indication, _now_s: float) -> list[TetraEvent]:
        instance = event.number("instance")
        if instance is None:
            return []
        call, told = self._entered(instance)
        call.talker = ""
        return [*told, TalkEnded(instance, free=event.number("request_permission") != 1)]

    def _released(self, event: Indication, _now_s: float) -> list[TetraEvent]:
        instance, cause = event.number("instance"), event.number("cause")
        call = None if instance is None else self.calls.pop(instance, None)
        if call is None:
            return []
        reason = Release(cause).name.lower() if cause in set(Release) else f"cause_{cause}"
        told: list[TetraEvent] = [TalkEnded(call.instance, free=False)] if call.talker else []
        if call.transmitting or call.demanded:
            told.append(TransmitChanged(None, reason))
        return [*told, CallEnded(call.instance, reason)]

    # The radio itself

    def _registration(self, event: Indication, _now_s: float) -> list[TetraEvent]:
        status = event.number("status")
        state = Registration(status).name.lower() if status in set(Registration) else "unknown"
        return [RegistrationHeard(state, event.identity("location_area"), event.identity("mni"))]

    def _signal(self, event: Indication, _now_s: float) -> list[TetraEvent]:
        level = event.number("level")
        return [] if level is None else [SignalHeard(signal_dbm(level))]

    def _groups(self, event: Indication, _now_s: float) -> list[TetraEvent]:
        groups = pei.groups(event)
        selected = next((group for group, kind in groups.items() if kind == 1), "")
        self.group = selected or self.group
        return [GroupsHeard(selected, {group: kind for group, kind in groups.items() if kind > 1})]

    # Short data

    def _message(  # noqa: PLR0911  # one for each kind of message
        self, event: Indication, now_s: float
    ) -> list[TetraEvent]:
        service = event.number("ai_service")
        if not event.data or service not in (STATUS_SERVICE, TRANSPORT_SERVICE):
            return []
        sender, called = event.identity("calling"), event.identity("called")
        message = sds.decode(event.data, status=service == STATUS_SERVICE)
        match message:
            case sds.Status():
                return [StatusHeard(sender, called, message.value)]
            case sds.ShortReport():
                return [ReportHeard(sender, message.reference, _short_status(message.kind))]
            case sds.Report():
                return [ReportHeard(sender, message.reference, message.status)]
            case sds.Located(position):
                return [
                    PositionHeard(
                        sender,
                        position.lat,
                        position.lon,
                        position.error_m,
                        position.speed_kmh,
                        position.heading_deg,
                        position.emergency,
                        position.reason,
                    )
                ]
            case sds.SimpleText():
                return [TextHeard(sender, called, message.text)]
            case sds.Transfer():
                return self._transfer(sender, called, message, event.data, now_s)
            case _:
                return []

    def _transfer(self, sender: str, called: str, message: sds.Transfer, digits: str, now_s: float) -> list[TetraEvent]:
        told: list[TetraEvent] = []
        if message.report in (sds.ReportRequest.RECEIVED, sds.ReportRequest.BOTH):
            told.append(ReportOwed(sender, sds.encode(sds.answer(message, sds.Delivery.RECEIVED))))
        if self._is_repeated(sender, digits, now_s):
            return told
        text = self._parts.add(sender, message, now_s)
        for late_sender, late in self._parts.expire(now_s):
            told.append(TextHeard(late_sender, called, late))
        return told if text is None else [TextHeard(sender, called, text), *told]

    def _is_repeated(self, sender: str, digits: str, now_s: float) -> bool:
        key = (sender, digits)
        last_s = self._repeats.pop(key, None)
        self._repeats[key] = now_s
        while len(self._repeats) > _REPEATS_LIMIT:
            del self._repeats[next(iter(self._repeats))]
        return last_s is not None and now_s - last_s < REPEATED_S


def _short_status(kind: sds.ShortReportKind) -> int:
    return {
        sds.ShortReportKind.RECEIVED: sds.Delivery.RECEIVED,
        sds.ShortReportKind.CONSUMED: sds.Delivery.CONSUMED,
        sds.ShortReportKind.MEMORY_FULL: sds.Delivery.MEMORY_FULL_DISCARDED,
        sds.ShortReportKind.NOT_SUPPORTED: sds.Delivery.NOT_SUPPORTED,
    }[kind]
