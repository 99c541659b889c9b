"""Alarms, releases and incidents through the real writer thread."""

from gateway.alarms.options import AlarmOptions
from gateway.alarms.service import AlarmService
from gateway.core.alarm import Condition, Severity
from gateway.core.board import Board
from gateway.core.clock import SystemClock
from gateway.core.text import Text
from gateway.principals.audit import AuditTrail
from gateway.principals.model import SYSTEM
from gateway.release.options import Policy, ReleaseOptions
from gateway.release.rules import ReleaseState
from gateway.release.service import ReleaseService
from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore
from gateway.store.unit import Base


async def test_alarms_and_releases_live_through_a_restart_of_the_store(tmp_path):
    clock = SystemClock()
    condition = Condition(
        key="rec-stalled",
        severity=Severity.MAJOR,
        source="line-3",
        text=Text("t", "单雄信"),
        needs_acknowledgement=True,
    )

    async def opened():
        store = SqlStore(StoreOptions(), folder=tmp_path, site="t", clock=clock, prepare=Base.metadata.create_all)
        await store.open()
        alarms = AlarmService(store=store, board=Board(), clock=clock, options=AlarmOptions())
        await alarms.start()
        options = ReleaseOptions(policies={"sms": Policy(steps=("make", "publish"), one_person=True)})
        return store, alarms, ReleaseService(store=store, board=Board(), audit=AuditTrail(store), options=options)

    store, alarms, releases = await opened()
    try:
        for _ in range(50):
            alarms.report(condition)
        raised = await alarms.raise_alarm(condition)
        release = await releases.request(kind="sms", subject="m1", digest="ab" * 32, title="预警", principal=SYSTEM)
    finally:
        await store.close()
    store, alarms, releases = await opened()
    try:
        assert alarms.get(raised.id) == raised
        assert await alarms.acknowledge([raised.id], by=SYSTEM)
        await alarms.clear_alarm("rec-stalled")
        assert [(alarm.count, alarm.state) for alarm in await alarms.history()] == [(51, "over")]
        done = await releases.step(release.id, step="publish", kind="sms", digest="ab" * 32, principal=SYSTEM)
        assert done.state is ReleaseState.RELEASED
        assert await releases.get(release.id) == done
        names = [event.name for event in await store.events_after(0)]
        assert names.count("released") == names.count("alarm_raised") == 1
    finally:
        await store.close()
