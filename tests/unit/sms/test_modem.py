"""The driver at the simulated modem, over a real pseudo terminal and pyserial, with every fault."""

import asyncio
import contextlib
from dataclasses import dataclass, field

import pytest

from gateway.core.board import Board
from gateway.core.clock import SystemClock
from gateway.core.options import Secret
from gateway.core.supervisor import Backoff, State, Supervisor
from sms import address, segments
from sms.at import Final
from sms.causes import Cure
from sms.errors import ModemNotReadyError, SendRefusedError, SendUnknownError
from sms.modem import ModemDriver
from sms.options import Modem, SmsOptions
from sms.pdu import Submit
from sms.simulator_models import QUIRKS, Sim
from sms.simulator_network import SimulatedNetwork
from sms.simulator_port import SimulatedPort
from tests.support.wait import until

CALLER = "+8613900000003"
FAST = SmsOptions(command_timeout_s=1.0, send_timeout_s=0.5, poll_s=0.2, ring_gap_s=0.2, restart_after_s=30)


@dataclass
class Kept:
    messages: list = field(default_factory=list)
    reports: list = field(default_factory=list)
    calls: list = field(default_factory=list)
    fails: int = 0

    async def received(self, arrived, message):
        if self.fails:
            self.fails -= 1
            raise RuntimeError("the store is gone")
        self.messages.append(message.data.text)

    async def reported(self, arrived, report):
        self.reports.append((report.reference, report.recipient.value, report.status))

    async def called(self, arrived, caller):
        self.calls.append(caller)


class Bench:
    def __init__(self, folder, profile="plain", *, options=FAST, sim=None, modem=None, imei="860000000000001"):
        self.clock = SystemClock()
        self.seen = []
        self.network = SimulatedNetwork(self.clock, self.seen.append)
        self.port = SimulatedPort(
            folder / "modem", self.network, self.clock, sim=sim or Sim(), imei=imei, quirks=QUIRKS[profile]
        )
        self.kept = Kept()
        self.board = Board()
        modem = modem or Modem(ports=(str(folder / "mod*"),), imei="860000000000001")
        self.driver = ModemDriver("modem-1", modem, options, sink=self.kept, board=self.board, clock=self.clock)
        self.supervisor = Supervisor(self.clock, backoff=Backoff(first_s=0.05, longest_s=0.1))

    @property
    def state(self):
        return self.board.get("sms", "modem-1").state

    def health(self):
        return self.supervisor.health()[0]

    async def send(self, text="警报", to=CALLER, **more):
        return await self.driver.send(
            Submit(recipient=address.number(to), data=segments.split(text).user_data(0)[0], **more)
        )

    def network_saw(self, event):
        return [line for line in self.seen if line["event"] == event]

    async def ready(self):
        await until(lambda: self.driver.ready, "a modem that is ready")


@contextlib.asynccontextmanager
async def bench(folder, profile="plain", *, plugged=True, **options):
    here = Bench(folder, profile, **options)
    if plugged:
        here.port.plug()
    here.supervisor.start(here.driver)
    try:
        yield here
    finally:
        await here.supervisor.stop()
        here.port.unplug()
        await here.network.close()


@pytest.mark.parametrize("profile", list(QUIRKS))
async def test_every_profile_sends_and_receives(tmp_path, profile):
    async with bench(tmp_path, profile) as here:
        await here.ready()
        assert await here.send("曾国藩：🚒请到场", report_requested=True) == 0
        (sent,) = here.network_saw("submitted")
        assert (sent["recipient"], sent["text"]) == (CALLER, "曾国藩：🚒请到场")
        here.network.send("收到", sender=CALLER, to=here.port.sim.number)
        await until(lambda: here.kept.messages == ["收到"], "the message")
        await until(lambda: here.kept.reports == [(0, CALLER, 0)], "the report")
        await until(lambda: not any(here.port.sim.stored.values()), "an empty storage")
        assert (here.state.state, here.state.operator, here.state.signal_dbm) == ("ready", "CHINA MOBILE", -71)
        assert here.state.reports


async def test_reports_are_acknowledged_once_each(tmp_path):
    async with bench(tmp_path) as here:
        await here.ready()
        for _ in range(5):
            await here.send(report_requested=True)
        await until(lambda: len(here.kept.reports) == 5, "five reports")
        assert [reference for reference, *_ in here.kept.reports] == [0, 1, 2, 3, 4]
        await until(
            lambda: len([line for line in here.network_saw("command") if line["line"] == "AT+CNMA"]) == 5, "five CNMA"
        )


async def test_what_lay_in_the_storage_is_handed_in_and_deleted(tmp_path):
    sim = Sim(capacity=3)
    async with bench(tmp_path, plugged=False, sim=sim) as here:
        here.port.plug()
        for index in range(6):
            here.network.send(f"{index} 号", sender=CALLER, to=sim.number)
        await until(lambda: len(here.kept.messages) == 6, "six messages through a storage of three")
        assert sorted(here.kept.messages) == [f"{index} 号" for index in range(6)]


async def test_a_message_that_was_not_kept_comes_again(tmp_path):
    async with bench(tmp_path) as here:
        await here.ready()
        here.kept.fails = 2
        here.network.send("不能丢", sender=CALLER, to=here.port.sim.number)
        await until(lambda: here.kept.messages == ["不能丢"], "the message, at last")


@pytest.mark.parametrize(
    ("final", "cure"),
    [(Final("CMS", 38), Cure.RETRY), (Final("CMS", 1), Cure.PERMANENT), (Final("CMS", 330), Cure.MODEM),
     (Final("CMS", 322), Cure.PURGE), (Final("ERROR"), Cure.RETRY)],
)  # fmt: skip
async def test_refusals_say_what_cures_them(tmp_path, final, cure):
    async with bench(tmp_path) as here:
        await here.ready()
        here.network.plan.refusals.append(final)
        with pytest.raises(SendRefusedError) as caught:
            await here.send()
        assert caught.value.fields["cure"] is cure
        assert await here.send() >= 0


async def test_an_ambiguous_error_is_unknown(tmp_path):
    async with bench(tmp_path) as here:
        await here.ready()
        here.network.plan.refusals.append(Final("CMS", 500))
        with pytest.raises(SendUnknownError):
            await here.send()


async def test_an_answer_that_never_comes_is_unknown_and_the_modem_recovers(tmp_path):
    async with bench(tmp_path) as here:
        await here.ready()
        here.network.plan.lose_answers = 1
        with pytest.raises(SendUnknownError):
            await here.send()
        assert len(here.network_saw("submitted")) == 1
        here.port.unplug()
        here.port.plug()
        await until(lambda: here.driver.ready and here.health().restarts, "the modem again")
        await here.send()
        assert len(here.network_saw("submitted")) == 2


async def test_hot_unplug_while_sending_and_back(tmp_path):
    async with bench(tmp_path) as here:
        await here.ready()
        here.network.plan.delay_s = 0.2
        sending = asyncio.ensure_future(here.send())
        await until(lambda: here.port.modem._sending is not None, "a segment on its way")
        here.port.unplug()
        with pytest.raises(SendUnknownError):
            await sending
        await until(lambda: here.state.state == "absent", "its absence on the board")
        with pytest.raises(ModemNotReadyError):
            await here.send()
        here.network.plan.delay_s = 0
        here.port.plug()
        await here.ready()
        assert await here.send() == 0


async def test_a_modem_that_hangs_is_given_up(tmp_path):
    async with bench(tmp_path) as here:
        await here.ready()
        here.port.modem.hang()
        with pytest.raises(SendRefusedError):
            await asyncio.wait_for(here.send(), 20)
        await until(lambda: here.health().state is State.DEGRADED, "degraded")
        here.port.unplug()
        here.port.plug()
        await here.ready()


async def test_no_network_is_degraded_and_comes_back(tmp_path):
    async with bench(tmp_path) as here:
        here.network.plan.registered = False
        await until(lambda: here.health().state is State.DEGRADED and here.state.state == "searching", "searching")
        with pytest.raises(ModemNotReadyError):
            await here.send()
        here.network.plan.registered = True
        await here.ready()
        assert here.health().state is State.READY


async def test_the_pin_is_entered(tmp_path):
    secret = tmp_path / "pin"
    secret.write_text("1234\n")
    modem = Modem(ports=(str(tmp_path / "modem"),), pin=Secret(file=str(secret)))
    async with bench(tmp_path, sim=Sim(pin="1234"), modem=modem) as here:
        await here.ready()
        assert "1234" not in str(here.seen)


async def test_a_wrong_pin_is_tried_once(tmp_path):
    secret = tmp_path / "pin"
    secret.write_text("0000")
    sim = Sim(pin="1234")
    here = Bench(tmp_path, sim=sim, modem=Modem(ports=(str(tmp_path / "modem"),), pin=Secret(file=str(secret))))
    here.supervisor = Supervisor(here.clock, backoff=Backoff(first_s=0.05, longest_s=0.1), config_retry_s=0.05)
    here.port.plug()
    here.supervisor.start(here.driver)
    try:
        await until(lambda: here.health().restarts >= 3, "three starts")
        assert here.health().state is State.CONFIG_ERROR
        assert sim.tries == 2
    finally:
        await here.supervisor.stop()
        here.port.unplug()


async def test_another_modem_at_the_port_is_not_taken(tmp_path):
    async with bench(tmp_path, imei="860000000000099") as here:
        await until(lambda: "another modem" in here.health().reason, "the reason")
        assert not here.driver.ready


async def test_a_voice_call_is_told_once(tmp_path):
    async with bench(tmp_path) as here:
        await here.ready()
        for _ in range(3):
            here.port.modem.call(CALLER)
        await until(lambda: here.kept.calls, "the missed call")
        assert here.kept.calls == [CALLER]
