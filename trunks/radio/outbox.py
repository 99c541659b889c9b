"""How far the messages came that were sent: a ladder on which nothing steps back. Pure."""

from dataclasses import dataclass, field

from trunks.radio import sds
from trunks.radio.driver import MessageProgressed, Stage
from trunks.radio.tetra import ReportHeard, short

MESSAGES_LIMIT = 512
_ORDER = (Stage.ACCEPTED, Stage.SENT, Stage.DELIVERED, Stage.CONSUMED)


@dataclass(slots=True)
class _Message:
    name: str
    called: str
    parts: list[Stage | None]
    told: Stage | None = None


@dataclass(slots=True)
class Outbox:
    """Joins what the radio and the receiver say about each part into what is told about the message.

    A stage is told when every part has reached it; a failure of one part is the failure of all.
    """

    _messages: dict[str, _Message] = field(default_factory=dict)
    _by_reference: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict)
    _by_instance: dict[int, tuple[str, int]] = field(default_factory=dict)

    def begin(self, name: str, called: str, references: list[int | None]) -> None:
        """Expect news about *name*, whose parts carry *references* (nothing for a status)."""
        self._messages[name] = _Message(name, called, [None] * len(references))
        for place, reference in enumerate(references):
            if reference is not None:
                self._by_reference[short(called), reference] = (name, place)
        while len(self._messages) > MESSAGES_LIMIT:
            self._forget(next(iter(self._messages)))

    def accepted(self, name: str, place: int, instance: int | None) -> list[MessageProgressed]:
        """The radio took a part, and will speak of it as *instance*."""
        if instance is not None:
            self._by_instance[instance] = (name, place)
        return self._reached(name, place, Stage.ACCEPTED)

    def failed(self, name: str, reason: str) -> list[MessageProgressed]:
        """A part cannot be sent."""
        message = self._messages.get(name)
        if message is None or message.told is Stage.FAILED:
            return []
        message.told = Stage.FAILED
        return [MessageProgressed(name, Stage.FAILED, reason)]

    def told_by_radio(self, instance: int | None, status: int | None) -> list[MessageProgressed]:
        """Take a ``+CMGS: instance,status``: 4 sent, which is not delivered; 5 failed."""
        found = None if instance is None else self._by_instance.get(instance)
        if found is None or status not in (4, 5):
            return []
        return self._reached(*found, Stage.SENT) if status == 4 else self.failed(found[0], "not_sent")

    def told_by_receiver(self, report: ReportHeard) -> list[MessageProgressed]:
        """Take a report; late, double and out of order ones change nothing that is known already."""
        found = self._by_reference.get((short(report.sender), report.reference))
        if found is None:
            return []
        if sds.is_final_failure(report.status):
            return self.failed(found[0], sds.delivery_name(report.status))
        if report.status in (sds.Delivery.CONSUMED, sds.Delivery.CONSUMED_ACKNOWLEDGED):
            return self._reached(*found, Stage.CONSUMED)
        if report.status in (sds.Delivery.RECEIVED, sds.Delivery.REPORT_ACKNOWLEDGED):
            return self._reached(*found, Stage.DELIVERED)
        return []

    def _reached(self, name: str, place: int, stage: Stage) -> list[MessageProgressed]:
        message = self._messages.get(name)
        if message is None:
            return []
        before = message.parts[place]
        if before is None or _ORDER.index(stage) > _ORDER.index(before):
            message.parts[place] = stage
        if message.told is Stage.FAILED or None in message.parts:
            return []
        lowest = min((part for part in message.parts if part is not None), key=_ORDER.index)
        if message.told is not None and _ORDER.index(lowest) <= _ORDER.index(message.told):
            return []
        message.told = lowest
        return [MessageProgressed(name, lowest)]

    def _forget(self, name: str) -> None:
        del self._messages[name]
        self._by_reference = {key: found for key, found in self._by_reference.items() if found[0] != name}
        self._by_instance = {key: found for key, found in self._by_instance.items() if found[0] != name}
