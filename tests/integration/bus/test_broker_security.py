"""Credentials, rights and the probe on a real mosquitto."""

from collections.abc import AsyncIterator

import pytest

from gateway.bus.broker import GATEWAY_USER, broker_configuration, digest_password, plugin_path
from gateway.bus.dynsec import BrokerSecurity, BrokerSecurityError, DynsecClient, Reconciled, file_entries
from gateway.bus.dynsec_model import PasswordDigest
from gateway.bus.mqtt import Endpoint, MqttPort
from gateway.bus.port import BusConnection, BusRefusedError, Delivery, Login, Publication, Reason
from gateway.bus.probe import BrokerProbe, persistence_finding
from gateway.bus.topics import Topics
from gateway.core.clock import SystemClock
from gateway.principals.model import Principal, PrincipalKind, Right
from tests.support.broker import RealBroker, real_broker
from tests.support.bus import until

pytestmark = pytest.mark.integration

COMMANDS = ("radio.ptt", "tel.dial", "tel.hangup")
CAD = Principal(PrincipalKind.APPLICATION, "cad", (Right("tel.*", "line-1"),))


class Keeper(dict[str, PasswordDigest]):
    async def keep(self, name: str, password: PasswordDigest) -> None:
        self[name] = password

    async def forget(self, name: str) -> None:
        self.pop(name, None)

    async def all(self) -> dict[str, PasswordDigest]:
        return self


@pytest.fixture
async def broker() -> AsyncIterator[RealBroker]:
    async with real_broker() as started:
        yield started


def port_of(broker: RealBroker) -> MqttPort:
    return MqttPort(Endpoint(socket=broker.paths.socket), broker.options)


def security_of(broker: RealBroker, keeper: Keeper) -> BrokerSecurity:
    return BrokerSecurity(
        "duty", keeper, commands=lambda: COMMANDS, port=port_of(broker), admin_password=broker.admin_password
    )


async def ignore(_: Delivery) -> None:
    return


async def publish(connection: BusConnection, topic: str) -> int:
    return await connection.publish(Publication(topic, b"{}"))


async def test_an_application_may_do_what_its_rights_say_and_nothing_else(broker: RealBroker) -> None:
    await security_of(broker, Keeper()).granted(CAD, "secret-1")
    async with port_of(broker).connect(Login("c", "cad", "secret-1"), ignore) as connection:
        allowed = ["+/+/evt/+", "+/+/state", "tel/#", "state", "lease", "catalog", "res/cad/#", "replay/cad"]
        for pattern in allowed:
            assert await connection.subscribe(f"gw/v1/duty/{pattern}") == 1, pattern
        for pattern in ("#", "cmd/#", "res/#", "res/other/#", "replay/other", "replay/+"):
            assert await connection.subscribe(f"gw/v1/duty/{pattern}") == Reason.NOT_AUTHORIZED, pattern
        assert await connection.subscribe("#") == Reason.NOT_AUTHORIZED
        assert await connection.subscribe("$CONTROL/#") == Reason.NOT_AUTHORIZED
        assert await publish(connection, "gw/v1/duty/cmd/cad/tel/dial") < 0x80
        for topic in (
            "gw/v1/duty/cmd/cad/radio/ptt",
            "gw/v1/duty/cmd/other/tel/dial",
            "gw/v1/duty/state",
            "gw/v1/duty/tel/line-1/evt/call_started",
            "gw/v1/duty/res/cad/1",
            "$CONTROL/dynamic-security/v1",
        ):
            assert await publish(connection, topic) == Reason.NOT_AUTHORIZED, topic


@pytest.mark.parametrize("granted", [False, True])
async def test_sensitive_events_reach_only_whom_they_are_granted(broker: RealBroker, granted: bool) -> None:  # noqa: FBT001
    rights = (Right("tel.*"), *((Right("sensitive.sms"),) if granted else ()))
    await security_of(broker, Keeper()).granted(Principal(PrincipalKind.APPLICATION, "cad", rights), "s")
    seen: list[str] = []

    async def handler(delivery: Delivery) -> None:
        seen.append(delivery.topic.rpartition("/")[2])

    user, password = broker.login()
    async with (
        port_of(broker).connect(Login("c", "cad", "s"), handler) as connection,
        port_of(broker).connect(Login("g", user, password), ignore) as gateway,
    ):
        assert await connection.subscribe("gw/v1/duty/+/+/evt/#") == 1
        await publish(gateway, "gw/v1/duty/sms/modem/evt/text/sensitive")
        await publish(gateway, "gw/v1/duty/res/other/state")
        await publish(gateway, "gw/v1/duty/sms/modem/evt/barrier")
        await until(lambda: "barrier" in seen)
    assert seen == (["sensitive", "barrier"] if granted else ["barrier"])


async def test_rotation_ends_the_old_password_and_revocation_the_connection(broker: RealBroker) -> None:
    keeper = Keeper()
    security = security_of(broker, keeper)
    await security.granted(CAD, "old")
    first = keeper["cad"]
    await security.granted(CAD, "new")
    assert keeper["cad"] != first
    with pytest.raises(BusRefusedError):
        async with port_of(broker).connect(Login("c", "cad", "old"), ignore):
            pass
    async with port_of(broker).connect(Login("c", "cad", "new"), ignore) as connection:
        await security.revoked("cad")
        await until(connection.lost.done)
    assert not keeper
    with pytest.raises(BusRefusedError):
        async with port_of(broker).connect(Login("c", "cad", "new"), ignore):
            pass


@pytest.mark.parametrize("name", ["admin", "gateway", "trunkline"])
async def test_an_application_may_have_any_name_and_takes_nobodys_place(broker: RealBroker, name: str) -> None:
    security = security_of(broker, Keeper())
    await security.granted(Principal(PrincipalKind.APPLICATION, name, ()), "s")
    async with port_of(broker).connect(Login("c", name, "s"), ignore) as connection:
        assert await connection.subscribe("$CONTROL/#") == Reason.NOT_AUTHORIZED
        assert await publish(connection, "gw/v1/duty/state") == Reason.NOT_AUTHORIZED
    for user, password in (broker.login(), broker.admin()):
        async with port_of(broker).connect(Login("own", user, password), ignore) as connection:
            assert not connection.lost.done()
    await security.revoked(name)
    assert await security.reconcile([]) == Reconciled((), (), ())


async def test_reconcile_makes_the_broker_equal_to_the_store(broker: RealBroker) -> None:
    keeper = Keeper()
    security = security_of(broker, keeper)
    await security.granted(CAD, "s")
    gone = Principal(PrincipalKind.APPLICATION, "gone", ())
    await security.granted(gone, "s")
    assert await security.reconcile([CAD, gone]) == Reconciled((), (), ())
    more = Principal(PrincipalKind.APPLICATION, "cad", (Right("*"),))
    offline = Principal(PrincipalKind.APPLICATION, "offline", (Right("*"),))
    await keeper.keep("offline", digest_password("kept while the broker was down"))
    outcome = await security.reconcile([more, offline])
    assert outcome.removed == ("gone",)
    assert outcome.changed == ("cad", "offline")
    assert outcome.waiting == ("offline",)
    async with port_of(broker).connect(Login("c", "cad", "s"), ignore) as connection:
        assert await publish(connection, "gw/v1/duty/cmd/cad/radio/ptt") < 0x80
    assert (await security.reconcile([more, offline])).changed == ()

    # The next start of the broker brings it in.
    broker.clients, broker.roles = file_entries("duty", [more, offline], keeper, COMMANDS)
    await broker.kill()
    broker.write_security()
    await broker.start()
    assert (await security.reconcile([more, offline])).waiting == ()
    login = Login("o", "offline", "kept while the broker was down")
    async with port_of(broker).connect(login, ignore) as connection:
        assert await publish(connection, "gw/v1/duty/cmd/offline/radio/ptt") < 0x80


async def test_what_a_broker_missed_while_it_was_away_is_applied_when_it_is_back(broker: RealBroker) -> None:
    security = security_of(broker, Keeper())
    assert await security.granted(CAD, "before")
    assert await security.granted(Principal(PrincipalKind.APPLICATION, "gone", ()), "s")
    await broker.kill()
    new = Principal(PrincipalKind.APPLICATION, "new", (Right("*"),))
    assert not await security.granted(CAD, "after")
    assert not await security.granted(new, "first")
    assert not await security.granted(new, "second")
    assert not await security.revoked("gone")
    assert security.behind.is_set()
    await broker.start()
    outcome = await security.reconcile([CAD, new])
    assert (outcome.removed, outcome.waiting) == (("gone",), ())
    assert not security.behind.is_set()
    for name, secret in (("cad", "after"), ("new", "second")):
        async with port_of(broker).connect(Login("c", name, secret), ignore) as connection:
            assert await publish(connection, f"gw/v1/duty/cmd/{name}/tel/dial") < 0x80
    with pytest.raises(BusRefusedError):
        async with port_of(broker).connect(Login("c", "cad", "before"), ignore):
            pass
    assert (await security.reconcile([CAD, new])).changed == ()


async def test_without_a_broker_only_the_digest_is_kept() -> None:
    keeper = Keeper()
    security = BrokerSecurity("duty", keeper, commands=lambda: COMMANDS)
    assert not await security.granted(CAD, "s")
    assert set(keeper) == {"cad"}
    assert not await security.revoked("cad")
    assert not keeper


async def test_an_error_of_the_plugin_is_told(broker: RealBroker) -> None:
    async with DynsecClient.connect(port_of(broker), broker.admin_password, "duty", 5.0) as client:
        with pytest.raises(BrokerSecurityError):
            await client.ask({"command": "deleteRole", "rolename": "nobody"})


async def test_the_probe_finds_a_private_broker_fit(broker: RealBroker) -> None:
    probe = BrokerProbe(port_of(broker), Login("gw", *broker.login()), Topics("duty"), SystemClock(), deadline_s=3)
    findings = {finding.name: finding.good for finding in await probe.run()}
    assert findings == dict.fromkeys(
        ("qos", "retain", "max_packet", "window", "retain_handling", "expiry", "denial", "session"), True
    )
    configuration = broker_configuration(broker.options, broker.paths, plugin_path())
    assert persistence_finding(configuration).good


async def test_nobody_hears_the_probe(broker: RealBroker) -> None:
    await security_of(broker, Keeper()).granted(CAD, "s")
    seen: dict[str, list[str]] = {"cad": [], "gateway": []}

    async def heard(delivery: Delivery) -> None:
        seen["cad"].append(delivery.topic)

    async def all_of_it(delivery: Delivery) -> None:
        seen["gateway"].append(delivery.topic)

    user, password = broker.login()
    async with (
        port_of(broker).connect(Login("c", "cad", "s"), heard) as cad,
        port_of(broker).connect(Login("g", user, password), all_of_it) as gateway,
    ):
        for pattern in ("+/+/evt/#", "+/+/state", "sys/#"):
            assert await cad.subscribe(f"gw/v1/duty/{pattern}") == 1
        assert await cad.subscribe("gw/v1/duty/probe/#") == Reason.NOT_AUTHORIZED
        await gateway.subscribe("gw/v1/duty/#")
        probe = BrokerProbe(port_of(broker), Login("gw", user, password), Topics("duty"), SystemClock(), deadline_s=3)
        assert all(finding.good for finding in await probe.run())
        await publish(gateway, "gw/v1/duty/sys/ami/evt/barrier")
        await until(lambda: bool(seen["cad"]))
    assert set(seen["cad"]) == {"gw/v1/duty/sys/ami/evt/barrier"}
    assert {topic.rsplit("/", 2)[0] for topic in seen["gateway"]} == {"gw/v1/duty/probe"}


async def test_the_probe_finds_what_a_poor_broker_lacks() -> None:
    poor = {
        "persistence true": "persistence false",
        "max_inflight_messages 128": "max_inflight_messages 4",
        "max_packet_size 65536": "max_packet_size 20000",
    }
    async with real_broker(replacements=poor) as broker:
        probe = BrokerProbe(port_of(broker), Login("gw", *broker.login()), Topics("duty"), SystemClock(), deadline_s=3)
        lacking = {finding.name for finding in await probe.run() if not finding.good}
        assert lacking == {"max_packet", "window"}
        assert not persistence_finding(broker.paths.configuration.read_text()).good


async def test_nobody_comes_in_without_a_password(broker: RealBroker) -> None:
    for login in (Login("x"), Login("x", GATEWAY_USER, ""), Login("x", "nobody", "x")):
        with pytest.raises(BusRefusedError):
            async with port_of(broker).connect(login, ignore):
                pass
    assert broker.paths.socket.stat().st_mode & 0o777 == 0o770
