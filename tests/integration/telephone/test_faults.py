"""A stream of calls while gateway and Asterisk fall over: the journal agrees with CEL, each call told exactly once."""

from contextlib import AsyncExitStack

import pytest

from gateway.app.stand.sipp import callers
from tests.integration.telephone.test_calls import check_each_call_once
from tests.support.asterisk import AsteriskStand
from tests.support.switchboard import switchboard
from tests.support.wait import until

pytestmark = pytest.mark.integration


async def test_no_call_is_lost_or_doubled(stand: AsteriskStand) -> None:
    async with AsyncExitStack() as stack:
        phones = [await stack.enter_async_context(stand.phone(number, answer="auto")) for number in ("101", "102")]
        calls = callers(stand.caller(calls=100, at_once=8, rate_per_s=15, talk_ms=300))
        async with switchboard(stand, overflow=True) as gateway:
            await gateway.ready()
            await calls.start()
            stack.push_async_callback(calls.stop)
            await gateway.told("call_ended", 10)
        before = len([row for row in stand.cel() if row["eventtype"] == "LINKEDID_END"])
        await until(lambda: stand.ended(before + 10), "calls without a gateway", 30)
        async with switchboard(stand, overflow=True) as gateway:
            await gateway.ready()
            told = await gateway.told("call_ended", before + 15, deadline_s=30)
            assert sum(bool(event.get("recovered")) for event in told) >= 10
            stand.child.process.kill()
            for phone in phones:
                await phone.stop()
            await stand.child.process.stop()
            await stand.child.start()
            for phone in phones:
                await phone.start()
            await calls.wait(60)
            await until(lambda: not gateway.telephone.book.open(), "every call ended", 30)
            rows = [row for row in stand.cel() if row["eventtype"] == "CHAN_START" and "/trunk-" in row["channame"]]
            await gateway.told("call_ended", len(rows))
            events = await gateway.events()
        check_each_call_once(events)
        started = [event["data"]["uniqueid"] for event in events if event["type"] == "tel.call_started.v1"]
        assert sorted(started) == sorted(row["uniqueid"] for row in rows)
