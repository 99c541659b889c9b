"""What every radio driver keeps to. A new kind joins by a rig in ``tests/support/radio_rigs.py``."""

import inspect

import msgspec
import pytest

from gateway.core.ids import is_level
from gateway.core.options import Options
from tests.support.radio_rigs import RIGS
from tests.support.wait import until
from trunks.radio import registry
from trunks.radio.driver import PORTS, LinkHeard, PushToTalk, RadioDriver, TransmitChanged, Verdict
from trunks.radio.errors import KeyerLostError, KeyRefusedError


@pytest.fixture(params=sorted(registry.kinds()))
async def rig(request, tmp_path):
    rig = RIGS[request.param](tmp_path)
    yield rig
    await rig.stop()


async def started(rig):
    await rig.start()
    await until(lambda: "ready" in rig.reporter.states, "the radio is ready")
    return rig.driver


@pytest.mark.parametrize("kind", registry.kinds().values(), ids=lambda kind: kind.name)
def test_a_kind_says_what_it_is(kind):
    assert is_level(kind.name)
    assert kind.title.zh
    assert issubclass(kind.options, Options)
    assert kind.options()
    for field in msgspec.structs.fields(kind.options):
        metadata = getattr(field.type, "__metadata__", ())
        assert any(isinstance(one, msgspec.Meta) and one.description for one in metadata), field.name


def test_a_kind_that_is_not_there_is_refused():
    with pytest.raises(Exception, match="no kind of radio"):
        registry.kind("morse")


async def test_it_keeps_to_the_contract(rig):
    driver = rig.driver
    assert isinstance(driver, RadioDriver)
    assert isinstance(driver.ptt, PushToTalk)
    assert is_level(driver.name)
    for capability, port in PORTS.items():
        assert isinstance(driver, port) == (capability in driver.capabilities), capability
    for name in ("key", "renew", "release"):
        kinds = {one.kind for one in inspect.signature(getattr(driver.ptt, name)).parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds


async def test_the_link_is_told_before_anything_is_done(rig):
    await started(rig)
    assert LinkHeard(up=True) in rig.events
    await rig.stop()
    assert rig.events[-1].up is False


async def test_nothing_is_keyed_without_a_radio(rig):
    with pytest.raises(KeyerLostError):
        await rig.driver.ptt.key("operator:仇英")
    rig.driver.ptt.renew("operator:仇英")
    await rig.driver.ptt.release("operator:仇英")


async def test_who_holds_it_speaks_until_it_lets_go(rig):
    driver = await started(rig)
    async with rig.holding("operator:仇英"):
        assert await driver.ptt.key("operator:仇英") is Verdict.GRANTED
        assert rig.on_air
        await driver.ptt.release("patch:1")
        assert rig.on_air
        with pytest.raises(KeyRefusedError):
            await driver.ptt.key("patch:1")
        await driver.ptt.release("operator:仇英")
        await until(lambda: not rig.on_air, "it is off the air")
        await driver.ptt.release("operator:仇英")


async def test_who_does_not_renew_is_taken_off_the_air_and_told(rig):
    driver = await started(rig)
    await driver.ptt.key("operator:仇英")
    driver.ptt.renew("patch:1")
    await until(lambda: not rig.on_air, "it is off the air", 1.1)
    await until(lambda: TransmitChanged(None, "lapsed") in rig.events, "the loss is told")


async def test_it_can_be_keyed_again(rig):
    driver = await started(rig)
    for _ in range(2):
        async with rig.holding("operator:仇英"):
            assert await driver.ptt.key("operator:仇英") is Verdict.GRANTED
            await driver.ptt.release("operator:仇英")
            await until(lambda: not rig.on_air, "it is off the air")


async def test_the_end_of_the_driver_is_a_release(rig):
    driver = await started(rig)
    async with rig.holding("operator:仇英"):
        await driver.ptt.key("operator:仇英")
        await rig.stop()
    assert not rig.on_air


async def test_a_port_that_goes_away_ends_the_run_with_its_reason(rig):
    await started(rig)
    rig.keyers[-1].unplug()
    with pytest.raises(KeyerLostError, match="hung up"):
        await rig.task
    assert LinkHeard(up=False, reason="hung up") in rig.events


async def test_a_port_that_goes_away_while_keyed_is_told_to_who_speaks(rig):
    driver = await started(rig)
    async with rig.holding("operator:仇英"):
        await driver.ptt.key("operator:仇英")
        rig.keyers[-1].unplug()
        with pytest.raises(KeyerLostError):
            await rig.task
    assert TransmitChanged(None, "port_lost") in rig.events
