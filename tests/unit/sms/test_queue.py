"""The queue with the real driver at the simulated modem; the network's own log says what was truly sent."""

import asyncio
import contextlib
from collections import Counter

import pytest

from gateway.core.board import Board
from gateway.core.clock import ManualClock, SystemClock
from gateway.core.supervisor import Backoff, Supervisor
from gateway.principals.model import SYSTEM, NotPermittedError, Principal, PrincipalKind
from sms import address, pdu, segments
from sms.at import Final
from sms.modem import Arrived, ModemDriver
from sms.options import Modem, SmsOptions
from sms.pdu import Deliver
from sms.queue import SmsQueue
from sms.rules import Priority
from sms.service import SmsService
from sms.simulator_models import Sim
from sms.simulator_network import SimulatedNetwork
from sms.simulator_port import SimulatedPort
from tests.support.local_store import LocalStore
from tests.support.wait import until

TO = "+8613900000003"
LONG = "曾国藩：🚒𠮷野家请到场，单雄信已出发。" * 5
OPTIONS = SmsOptions(
    command_timeout_s=1.0, send_timeout_s=0.5, poll_s=0.2, attempts=3, retry_first_s=0.05, retry_longest_s=0.1
)


class House:
    """One start of the gateway's SMS part; several may follow each other on one store."""

    def __init__(self, ports, store, board, clock):
        self.service = SmsService(store=store, clock=clock, options=OPTIONS)
        self.modems = [
            ModemDriver(
                f"modem-{i}", Modem(ports=(str(port.path),)), OPTIONS, sink=self.service, board=board, clock=clock
            )
            for i, port in enumerate(ports, 1)
        ]
        self.queue = SmsQueue(self.service, self.modems, clock)
        for modem in self.modems:
            modem.on_ready = self.queue.wake
        self.supervisor = Supervisor(clock, backoff=Backoff(first_s=0.05, longest_s=0.1))

    async def start(self):
        for adapter in (*self.modems, self.queue):
            self.supervisor.start(adapter)
        await until(lambda: all(modem.ready for modem in self.modems), "modems that are ready")

    async def states(self, job):
        return [(one.state, one.cause) for one in await self.service.recipients(job.id)]

    async def all_are(self, job, *states):
        async def reached():
            found = await self.states(job)
            return found if all(state in states for state, _ in found) else None

        return await until(reached, f"every recipient {states}", 20)


class World:
    def __init__(self, folder, modems):
        self.clock = SystemClock()
        self.seen = []
        self.network = SimulatedNetwork(self.clock, self.seen.append)
        sims = [Sim(number=f"+861380000000{i}", imsi=f"46000000000000{i}") for i in range(1, modems + 1)]
        self.ports = [SimulatedPort(folder / sim.imsi, self.network, self.clock, sim=sim) for sim in sims]
        self.store = LocalStore()
        self.board = Board()
        self.houses = []

    async def house(self):
        house = House(self.ports, self.store, self.board, self.clock)
        self.houses.append(house)
        await house.start()
        return house

    def sent(self):
        return [line for line in self.seen if line["event"] == "submitted"]


@contextlib.asynccontextmanager
async def world(folder, modems=1):
    here = World(folder, modems)
    for port in here.ports:
        port.plug()
    try:
        yield here
    finally:
        for house in here.houses:
            await house.supervisor.stop()
        for port in here.ports:
            port.unplug()
        await here.network.close()
        here.store.close()


async def test_sent_and_delivered(tmp_path):
    async with world(tmp_path) as here:
        house = await here.house()
        job = await house.service.send(text=LONG, recipients=[TO, "+8613900000004", TO], principal=SYSTEM)
        assert (job.recipients, job.segments, job.alphabet) == (2, 2, "ucs2")
        await house.all_are(job, "delivered")
        assert "".join(line["text"] for line in here.sent()[:2]) == LONG
        types = here.store.types()
        assert types.count("sms.queued.v1") == 1
        assert types.count("sms.delivered.v1") == 2
        assert TO not in str([(h.resource, h.aggregate) for h in here.store.happenings])


@pytest.mark.parametrize("step", ["command", "payload", "answer"])
async def test_a_crash_at_any_step_never_sends_twice(tmp_path, step):
    async with world(tmp_path) as here:
        house = await here.house()
        plan = here.network.plan
        plan.silent = (TO,)  # no report comes to help
        if step == "payload":
            plan.lose_answers = 1
        if step == "answer":

            async def never(task, reference):
                await asyncio.Event().wait()

            house.service.taken = never
        job = await house.service.send(text="警报", recipients=[TO], principal=SYSTEM)
        if step == "command":
            await until(lambda: any("CMGS" in str(line.get("line")) for line in here.seen), "the command")
        else:
            await until(here.sent, "the message in the network")
        await house.supervisor.stop()
        plan.lose_answers = 0
        before = len(here.sent())
        for port in here.ports:
            port.unplug()
            port.plug()
        again = await here.house()
        ((state, cause),) = await again.all_are(job, "unknown", "sent")
        assert state != "unknown" or len(here.sent()) == before  # what is unknown is not sent again
        assert Counter(line["recipient"] for line in here.sent())[TO] <= 1
        assert (state, cause) in {("unknown", "restart"), ("sent", "")}


async def test_unknown_is_settled_by_its_report(tmp_path):
    async with world(tmp_path) as here:
        house = await here.house()
        here.network.plan.lose_answers = 1
        here.network.plan.report_delay_s = 0.8
        job = await house.service.send(text="警报", recipients=[TO], principal=SYSTEM)
        await house.all_are(job, "unknown")
        here.ports[0].unplug()
        here.ports[0].plug()
        await house.all_are(job, "delivered")
        assert len(here.sent()) == 1


async def test_refusals_are_retried_by_cause_and_one_dead_number_blocks_nobody(tmp_path):
    async with world(tmp_path) as here:
        house = await here.house()
        here.network.plan.refusals[:] = [Final("CMS", 38), Final("CMS", 1), None, None]
        here.network.plan.dead = ("+8613900000006",)
        numbers = ["+8613900000004", "+8613900000005", "+8613900000006", "+8613900000007"]
        job = await house.service.send(text="警报", recipients=numbers, principal=SYSTEM)
        assert await house.all_are(job, "delivered", "failed") == [
            ("delivered", ""), ("failed", "cms-1"), ("failed", "status-65"), ("delivered", "")
        ]  # fmt: skip


async def test_a_refusal_for_ever_ends(tmp_path):
    async with world(tmp_path) as here:
        house = await here.house()
        here.network.plan.refusals[:] = [Final("CMS", 38)] * 10
        job = await house.service.send(text=LONG, recipients=[TO], principal=SYSTEM)
        assert await house.all_are(job, "failed") == [("failed", "cms-38")]
        assert 3 <= 10 - len(here.network.plan.refusals) <= 6
        assert here.sent() == []


async def test_an_alarm_overtakes_within_one_segment(tmp_path):
    async with world(tmp_path) as here:
        house = await here.house()
        here.network.plan.delay_s = 0.05
        mass = [f"+86139000001{i:02d}" for i in range(20)]
        await house.service.send(text=LONG, recipients=mass, principal=SYSTEM, priority=Priority.MASS)
        await until(lambda: len(here.sent()) == 3, "three segments")
        alarm = await house.service.send(text="火警", recipients=[TO], principal=SYSTEM, priority=Priority.ALARM)
        await house.all_are(alarm, "sent", "delivered")
        place = next(i for i, line in enumerate(here.sent()) if line["recipient"] == TO)
        assert place <= 4


async def test_two_modems_share_and_one_that_is_pulled_out_loses_nothing(tmp_path):
    async with world(tmp_path, modems=2) as here:
        house = await here.house()
        here.network.plan.delay_s = 0.01
        numbers = [f"+861390000{i:04d}" for i in range(60)]
        job = await house.service.send(text=LONG, recipients=numbers, principal=SYSTEM)
        await until(lambda: len(here.sent()) > 30, "a part of them")
        here.ports[0].unplug()
        await until(lambda: len(here.sent()) > 80, "more of them by the other")
        here.ports[0].plug()
        states = Counter(state for state, _ in await house.all_are(job, "delivered", "unknown"))
        assert states["unknown"] <= 1
        counts = Counter((line["recipient"], line["parts"]["index"]) for line in here.sent())
        assert set(counts.values()) == {1}
        assert {line["modem"] for line in here.sent()} == {"+8613800000001", "+8613800000002"}


async def service_alone(clock=None):
    store = LocalStore(clock or SystemClock())
    return SmsService(store=store, clock=store.clock, options=OPTIONS), store


async def test_one_request_makes_one_job_and_rights_are_asked():
    service, store = await service_alone()
    jobs = {(await service.send(text="x", recipients=[TO], principal=SYSTEM, request="a/1")).id for _ in range(3)}
    assert len(jobs) == 1
    with pytest.raises(NotPermittedError):
        await service.send(text="x", recipients=[TO], principal=Principal(PrincipalKind.OPERATOR, "qiu"))
    store.close()


async def test_what_is_late_or_cancelled_is_not_sent():
    clock = ManualClock()
    service, store = await service_alone(clock)
    late = await service.send(text="x", recipients=[TO], principal=SYSTEM, not_after_s=60)
    gone = await service.send(text=LONG, recipients=[TO], principal=SYSTEM, not_after_s=600)
    assert await service.cancel(gone.id, principal=SYSTEM) == 2
    await clock.advance(61)
    await service.lapse()
    assert await service.take("modem-1", "sim") is None
    assert [(one.state, one.cause) for one in await service.recipients(late.id)] == [("failed", "expired")]
    assert [(one.state, one.cause) for one in await service.recipients(gone.id)] == [("failed", "cancelled")]
    store.close()


def incoming(text, sender=TO, reference=9):
    return [
        Deliver(sender=address.number(sender), data=data, timestamp=None)
        for data in segments.split(text).user_data(reference)
    ]


async def bring(service, clock, message):
    raw = pdu.encode(message).hex().upper()
    await service.received(Arrived("modem-1", "sim", clock.wall(), raw), message)


def received(store):
    return [h.event for h in store.happenings if h.event.TYPE == "sms.received.v1"]


async def test_parts_in_any_order_and_twice_make_one_message():
    clock = ManualClock()
    service, store = await service_alone(clock)
    parts = incoming(LONG * 2)
    job = await service.send(text="在吗", recipients=["13900000003"], principal=SYSTEM)
    for part in (parts[2], parts[0], parts[0], *parts[::-1]):
        await bring(service, clock, part)
    await bring(service, clock, incoming("收到")[0])
    assert [(event.text, event.missing) for event in received(store)] == [(LONG * 2, ()), ("收到", ())]
    assert received(store)[0].reply_to == job.id
    store.close()


async def test_missing_parts_are_given_up_with_a_mark():
    clock = ManualClock()
    service, store = await service_alone(clock)
    parts = incoming(LONG)
    await bring(service, clock, parts[1])
    await service.lapse()
    assert received(store) == []
    await clock.advance(OPTIONS.part_wait_s + 1)
    await service.lapse()
    (event,) = received(store)
    assert event.missing == (1,)
    assert event.text == "【缺失 1/2】" + parts[1].data.text
    store.close()
