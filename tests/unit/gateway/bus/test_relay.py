import json
from collections.abc import Callable

from gateway.bus.memory import MemoryBroker, MemoryPort
from gateway.bus.port import Publication, Reason
from gateway.bus.relay import mirror, sensitive_names
from gateway.core.clock import SystemClock
from gateway.core.events import Event
from gateway.core.supervisor import State
from tests.support.bus import MemoryJournal, Rang, gateway_side, until

EVENTS = "/evt/"


def numbers(broker: MemoryBroker) -> list[int]:
    return [json.loads(one.payload)["gwseq"] for one in broker.published if EVENTS in one.topic]


class FussyBroker(MemoryBroker):
    """Answers chosen events with chosen reason codes."""

    def __init__(self, answer: Callable[[int, int], int]) -> None:
        super().__init__(SystemClock())
        self._answer = answer
        self.tries: dict[int, int] = {}

    def route(self, publication: Publication, *, sender: object) -> int:
        if EVENTS in publication.topic:
            seq = json.loads(publication.payload)["gwseq"]
            self.tries[seq] = self.tries.get(seq, 0) + 1
            reason = self._answer(seq, self.tries[seq])
            if reason >= 0x80:
                return reason
        return super().route(publication, sender=sender)  # type: ignore[arg-type]


async def test_events_are_published_in_order_and_the_position_follows() -> None:
    broker, journal = MemoryBroker(SystemClock()), MemoryJournal()
    journal.tell(300)
    async with gateway_side(MemoryPort(broker), journal):
        await until(lambda: len(numbers(broker)) == 300)
        journal.tell(50)
        await until(lambda: journal.position == 350)
    assert numbers(broker) == list(range(1, 351))
    event = next(one for one in broker.published if EVENTS in one.topic)
    assert event.topic == "gw/v1/duty/tel/line-1/evt/rang"
    assert event.qos == 1
    assert not event.retain
    assert dict(event.user)["gwseq"] == "1"


async def test_without_being_woken_it_polls() -> None:
    broker, journal = MemoryBroker(SystemClock()), MemoryJournal(deaf=True)
    async with gateway_side(MemoryPort(broker), journal) as side:
        await side.session.ready()
        journal.tell(3)
        await until(lambda: numbers(broker) == [1, 2, 3])


async def test_a_killed_broker_costs_nothing_and_publishing_goes_on_where_it_stood() -> None:
    broker, journal = MemoryBroker(SystemClock()), MemoryJournal()
    async with gateway_side(MemoryPort(broker), journal):
        journal.tell(100)
        await until(lambda: journal.position == 100)
        await broker.kill()
        journal.tell(500)
        broker.down = False
        await until(lambda: journal.position == 600)
    assert sorted(set(numbers(broker))) == list(range(1, 601))


async def test_what_was_confirmed_just_before_a_crash_is_published_again() -> None:
    """The broker may have confirmed it and not written it down."""
    broker, journal = MemoryBroker(SystemClock()), MemoryJournal()
    async with gateway_side(MemoryPort(broker), journal, settle_s=60):
        journal.tell(20)
        await until(lambda: len(numbers(broker)) == 20)
        assert journal.position == 0
        await broker.kill()
        broker.down = False
        await until(lambda: len(numbers(broker)) == 40)
    assert numbers(broker) == [*range(1, 21), *range(1, 21)]
    assert journal.position == 20  # a shutdown in order


async def test_a_denied_event_is_set_aside_with_an_alarm_and_does_not_block() -> None:
    broker = FussyBroker(lambda seq, _: Reason.NOT_AUTHORIZED if seq == 3 else 0)
    journal = MemoryJournal()
    async with gateway_side(MemoryPort(broker), journal) as side:
        journal.tell(10)
        await until(lambda: journal.position == 10)
        assert [error.code for error in side.alarms] == ["bus.denied"]
        health = {one.name: one for one in side.supervisor.health()}
        assert health["outbox"].state is State.DEGRADED
    assert journal.set_aside == {3: Reason.NOT_AUTHORIZED}
    assert numbers(broker) == [1, 2, 4, 5, 6, 7, 8, 9, 10]


async def test_a_denied_event_is_published_once_the_right_is_there() -> None:
    denied = {2, 3}
    broker = FussyBroker(lambda seq, _: Reason.NOT_AUTHORIZED if seq in denied else 0)
    journal = MemoryJournal()
    async with gateway_side(MemoryPort(broker), journal) as side:
        journal.tell(4)
        await until(lambda: journal.position == 4)
        assert journal.set_aside == {2: Reason.NOT_AUTHORIZED, 3: Reason.NOT_AUTHORIZED}
        denied.clear()
        await broker.kill()
        broker.down = False
        await until(lambda: not journal.set_aside)
        await until(lambda: {1, 2, 3, 4} <= set(numbers(broker)))
        health = {one.name: one for one in side.supervisor.health()}
        assert health["outbox"].state is State.READY


async def test_a_store_that_fails_while_an_event_is_set_aside_stops_nothing() -> None:
    broker = FussyBroker(lambda seq, _: Reason.NOT_AUTHORIZED if seq == 3 else 0)
    journal = MemoryJournal()
    journal.failing = 1
    async with gateway_side(MemoryPort(broker), journal) as side:
        journal.tell(10)
        await until(lambda: journal.position == 10)
        assert {one.name: one.restarts for one in side.supervisor.health()}["outbox"] == 1
    assert journal.set_aside == {3: Reason.NOT_AUTHORIZED}


async def test_an_oversize_event_is_set_aside() -> None:
    broker, journal = MemoryBroker(SystemClock()), MemoryJournal()
    async with gateway_side(MemoryPort(broker), journal):
        journal.tell(1)
        journal.tell(1, who="仇" * 30_000)
        journal.tell(1)
        await until(lambda: journal.position == 3)
    assert journal.set_aside == {2: Reason.PACKET_TOO_LARGE}
    assert numbers(broker) == [1, 3]


async def test_a_full_broker_is_tried_again() -> None:
    broker = FussyBroker(lambda seq, tries: Reason.QUOTA_EXCEEDED if seq == 2 and tries < 3 else 0)
    journal = MemoryJournal()
    async with gateway_side(MemoryPort(broker), journal):
        journal.tell(4)
        await until(lambda: journal.position == 4)
    assert broker.tries[2] == 3
    assert not journal.set_aside
    assert sorted(numbers(broker)) == [1, 2, 3, 4]


async def test_the_position_does_not_pass_what_is_not_confirmed() -> None:
    full = {2}
    broker = FussyBroker(lambda seq, _: Reason.QUOTA_EXCEEDED if seq in full else 0)
    journal = MemoryJournal()
    async with gateway_side(MemoryPort(broker), journal) as side:
        journal.tell(10)
        await until(lambda: side.relay.position == 1 and 10 in numbers(broker))
        full.clear()
        await until(lambda: journal.position == 10)


def test_attributes_are_mirrored() -> None:
    journal = MemoryJournal()
    journal.tell()
    properties = dict(mirror(journal.rows[0].payload))
    assert properties == {
        "specversion": "1.0",
        "id": "duty-1",
        "source": "/gw/duty/tel/line-1",
        "type": "tel.rang.v1",
        "subject": "call:1",
        "time": "2026-01-01T00:00:00Z",
        "gwepoch": "1",
        "gwseq": "1",
        "aggseq": "1",
    }


def test_sensitive_events_are_known_by_their_class() -> None:
    class Text(Event, frozen=True, kw_only=True):
        TYPE = "sms.text.v1"
        SENSITIVE = True

    assert sensitive_names([Text, Rang]) == {("sms", "text")}
