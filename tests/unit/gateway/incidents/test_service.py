import msgspec
import pytest

from gateway.core.clock import ManualClock
from gateway.core.errors import ConflictError, NotFoundError
from gateway.core.ids import new_id
from gateway.incidents.events import EVENTS
from gateway.incidents.options import IncidentOptions
from gateway.incidents.service import IncidentService
from gateway.principals.model import Principal, PrincipalKind
from tests.support.local_store import LocalStore

ZENG = Principal(PrincipalKind.OPERATOR, "zeng", display_name="曾国藩")


@pytest.fixture
def store():
    store = LocalStore(ManualClock())
    yield store
    store.close()


async def opened(service, **given):
    return await service.open(**{"title": "朝阳路𠮷野家火灾 🚒", "kind": "fire", "principal": ZENG, **given})


async def test_an_incident_lives_from_open_to_close(store):
    service = IncidentService(store, IncidentOptions())
    record = await opened(service, number="2026-001", aggregates=["call:a1"])
    await service.note(record.id, "单雄信已到场", principal=ZENG)
    closed = await service.close(record.id, principal=ZENG)
    assert closed.closed_by == "operator:zeng"
    assert closed.closed_at is not None
    view = await service.view(record.id)
    assert [link.aggregate for link in view.links] == ["call:a1"]
    assert [note.text for note in view.notes] == ["单雄信已到场"]
    assert view.incident.title == "朝阳路𠮷野家火灾 🚒"
    assert set(store.types()) == {event.TYPE for event in EVENTS}
    assert {happening.incident for happening in store.happenings} == {record.id}


async def test_a_notes_text_stays_off_the_bus(store):
    service = IncidentService(store, IncidentOptions())
    record = await opened(service)
    await service.note(record.id, "电话 13800138000", principal=ZENG)
    assert all(b"13800138000" not in event.payload for event in store.journal)


async def test_the_index_tells_the_incident_at_once_and_after_a_restart(store):
    service = IncidentService(store, IncidentOptions())
    first, second = await opened(service), await opened(service)
    await service.link(first.id, "call:a1", principal=ZENG)
    assert service.index.incident_of("call:a1") == first.id
    await service.link(second.id, "call:a1", principal=ZENG)
    assert store.happenings[-1].event.before == first.id
    again = IncidentService(store, IncidentOptions())
    assert again.index.incident_of("call:a1") is None
    await again.start()
    assert again.index.incident_of("call:a1") == second.id


async def test_the_same_link_twice_is_told_once(store):
    service = IncidentService(store, IncidentOptions())
    record = await opened(service, aggregates=["call:a1"])
    told = len(store.happenings)
    await service.link(record.id, "call:a1", principal=ZENG)
    assert len(store.happenings) == told


async def test_the_index_is_bounded_and_keeps_the_latest(store):
    service = IncidentService(store, IncidentOptions(index_links=1000))
    for number in range(1001):
        service.index.put(f"call:{number}", "x")
    assert service.index.incident_of("call:0") is None
    assert service.index.incident_of("call:1000") == "x"


async def test_what_cannot_be_done_is_refused_and_changes_nothing(store):
    service = IncidentService(store, IncidentOptions())
    record = await opened(service, number="7")
    with pytest.raises(ConflictError):
        await opened(service, number="7")
    await service.close(record.id, principal=ZENG)
    with pytest.raises(ConflictError):
        await service.close(record.id, principal=ZENG)
    for call in (service.view, lambda name: service.link(name, "call:1", principal=ZENG)):
        with pytest.raises(NotFoundError):
            await call(new_id())
    assert store.types() == ["ops.incident_opened.v1", "ops.incident_closed.v1"]


async def test_a_unit_that_is_run_twice_changes_nothing_twice(store):
    store.run_twice = True
    service = IncidentService(store, IncidentOptions())
    record = await opened(service, aggregates=["call:a1"])
    assert len((await service.view(record.id)).links) == 1
    assert msgspec.json.encode(await service.view(record.id))
