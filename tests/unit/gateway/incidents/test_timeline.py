"""The timeline on the real store, and the routes of incidents."""

import json

import pytest
from litestar import Litestar
from litestar.di import Provide
from litestar.testing import AsyncTestClient

from gateway.core.events import Happening
from gateway.incidents.events import IncidentNoted
from gateway.incidents.options import IncidentOptions
from gateway.incidents.routes import routes
from gateway.incidents.service import IncidentService
from gateway.principals.model import SYSTEM
from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore
from gateway.store.unit import Base


@pytest.fixture
async def store(tmp_path):
    store = SqlStore(StoreOptions(), folder=tmp_path, site="t", prepare=Base.metadata.create_all)
    await store.open()
    yield store
    await store.close()


async def happen(store, aggregate, incident=None):
    event = IncidentNoted(id="x", note=aggregate, by="test")
    happening = Happening(event=event, resource="line-1", aggregate=aggregate, incident=incident)
    await store.write(lambda unit: unit.emit(happening), name="test")


async def test_the_timeline_holds_what_was_told_before_the_link_and_what_carries_the_incident(store):
    service = IncidentService(store, IncidentOptions())
    await happen(store, "call:a1")
    await happen(store, "call:other")
    record = await service.open(title="𠮷野家火灾 🚒", kind="fire", principal=SYSTEM, aggregates=["call:a1"])
    await happen(store, "call:a1", incident=record.id)
    await happen(store, "fax:9", incident=record.id)
    told = [json.loads(event.payload) for event in await service.timeline(record.id)]
    assert [event["subject"] for event in told] == [
        "call:a1",
        f"incident:{record.id}",
        f"incident:{record.id}",
        "call:a1",
        "fax:9",
    ]
    assert [event["gwseq"] for event in told] == sorted(event["gwseq"] for event in told)
    assert len(await service.timeline(record.id, after=told[1]["gwseq"], limit=2)) == 2
    app = Litestar(
        routes(service), dependencies={"principal": Provide(lambda: SYSTEM, sync_to_thread=False)}, debug=True
    )
    async with AsyncTestClient(app) as client:
        assert [row["title"] for row in (await client.get("/incidents", params={"only_open": True})).json()] == [
            "𠮷野家火灾 🚒"
        ]
        assert (await client.get(f"/incidents/{record.id}")).json()["links"][0]["aggregate"] == "call:a1"
        assert (await client.get(f"/incidents/{record.id}/timeline")).json() == told
