"""The gateway's SMS part is killed again and again while it sends; the network's own log is the judge."""

import asyncio
import random
import sys
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.core.clock import SystemClock
from sms.repository import SmsRecipientRow
from sms.simulator_models import Sim
from sms.simulator_network import SimulatedNetwork
from sms.simulator_port import SimulatedPort
from tests.support.sms_child import part
from tests.support.wait import until

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
TEXT = "【应急值班室】曾国藩：🚒请到𠮷野家，收到请回复。" * 4
COUNT = 60


async def states_in(folder):
    store, _, _ = part(folder, ())
    await store.open()
    try:
        rows = await store.read(
            lambda connection: connection.execute(sa.select(SmsRecipientRow.number, SmsRecipientRow.state)).all()
        )
    finally:
        await store.close()
    return dict(rows)


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_recipient_gets_it_twice_and_each_ends_in_one_true_state(tmp_path, seed):
    rng = random.Random(seed)
    seen = []
    network = SimulatedNetwork(SystemClock(), seen.append)
    network.plan.delay_s, network.plan.acknowledge_s = 0.01, 0.5
    sims = [Sim(number=f"+861380000000{i}", imsi=f"46000000000000{i}") for i in (1, 2)]
    ports = [SimulatedPort(tmp_path / sim.imsi, network, SystemClock(), sim=sim) for sim in sims]
    for port in ports:
        port.plug()

    def sent():
        return [(line["recipient"], line["parts"]["index"]) for line in seen if line["event"] == "submitted"]

    async def start():
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.sms_child", str(tmp_path), TEXT, str(COUNT)),
            *(str(port.path) for port in ports),
            cwd=ROOT,
        )

    kills = 0
    child = await start()
    try:
        while kills < 4:
            aim = len(sent()) + rng.randint(3, 15)
            await until(lambda aim=aim: len(sent()) >= aim, "more segments", 30)
            child.kill()
            await child.wait()
            kills += 1
            if kills == 2:
                ports[0].unplug()
                ports[0].plug()
            child = await start()
        await until(lambda: len(sent()) >= 2 * COUNT - 2 * kills, "nearly all of them", 60)
        before = -1
        while before != (before := sum(line["event"] != "command" for line in seen)):
            await asyncio.wait([asyncio.ensure_future(child.wait())], timeout=2)  # longer than any retry in this test
    finally:
        child.kill()
        await child.wait()
        for port in ports:
            port.unplug()
        await network.close()
    assert set(Counter(sent()).values()) == {1}
    states = await states_in(tmp_path)
    assert len(states) == COUNT
    assert set(states.values()) <= {"delivered", "unknown"}
    truly = Counter(recipient for recipient, _ in sent())
    assert all(truly[number] == 2 for number, state in states.items() if state == "delivered")
    assert Counter(states.values())["unknown"] <= 2 * kills
