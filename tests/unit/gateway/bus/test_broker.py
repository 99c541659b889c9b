import base64
import hashlib
import json
from pathlib import Path

import pytest

from gateway.bus.broker import BrokerPaths, broker_configuration, digest_password, initial_security, new_password
from gateway.bus.dynsec_model import application_role, credential_note
from gateway.bus.options import BusOptions, ListenerOptions
from gateway.principals.model import Principal, PrincipalKind, Right

PATHS = BrokerPaths(
    socket=Path("/run/tl/broker.sock"),
    configuration=Path("/run/tl/mosquitto.conf"),
    security=Path("/state/dynamic-security.json"),
    persistence=Path("/state/broker"),
)
PLUGIN = Path("/plugin.so")


def lines(options: BusOptions, **more: str) -> list[str]:
    return broker_configuration(options, PATHS, PLUGIN, **more).splitlines()


def test_by_default_only_the_socket_is_listened_on() -> None:
    text = lines(BusOptions())
    assert [line for line in text if line.startswith("listener")] == ["listener 0 /run/tl/broker.sock"]
    assert "allow_anonymous false" in text
    assert "max_packet_size 65536" in text
    assert "plugin_opt_config_file /state/dynamic-security.json" in text
    assert not any(line.startswith("user ") for line in text)


def test_other_listeners_are_added_when_asked_for() -> None:
    listener = ListenerOptions(loopback_port=1883, tls_port=8883, certificate_file="/c.pem", key_file="/k.pem")
    text = lines(BusOptions(listener=listener), user="trunkline")
    assert "listener 1883 127.0.0.1" in text
    assert text[text.index("listener 8883 0.0.0.0") + 1 :][:3] == [
        "certfile /c.pem",
        "keyfile /k.pem",
        "tls_version tlsv1.2",
    ]
    assert "user trunkline" in text


def test_a_digest_is_what_mosquitto_compares_with() -> None:
    digest = digest_password("密码", salt=b"0123456789ab", iterations=101)
    expected = hashlib.pbkdf2_hmac("sha512", "密码".encode(), b"0123456789ab", 101, dklen=64)
    assert base64.b64decode(digest.digest) == expected
    assert base64.b64decode(digest.salt) == b"0123456789ab"
    assert digest_password("x").salt != digest_password("x").salt
    assert digest_password("x").fingerprint not in json.dumps(digest.digest)
    assert len(new_password()) == 32


def test_the_first_security_file_denies_by_default_and_holds_no_password() -> None:
    gateway, admin = digest_password("g-secret"), digest_password("a-secret")
    raw = initial_security("duty", gateway=gateway, admin=admin)
    document = json.loads(raw)
    assert b"secret" not in raw.replace(b"dynamic-security", b"")
    assert document["defaultACLAccess"] == {
        "publishClientSend": False,
        "publishClientReceive": False,
        "subscribe": False,
        "unsubscribe": True,
    }
    assert [client["username"] for client in document["clients"]] == ["trunkline.gateway", "trunkline.admin"]
    assert document["clients"][0]["textdescription"] == credential_note(gateway)
    topics = {acl["topic"] for role in document["roles"] if role["rolename"] == "gateway" for acl in role["acls"]}
    assert topics == {"gw/v1/duty/#", "#"}


@pytest.mark.parametrize(
    ("rights", "commands"),
    [
        ((), set()),
        ((Right("tel.dial", "line-1"),), {"tel/dial"}),
        ((Right("tel.*"),), {"tel/dial", "tel/hangup"}),
        ((Right("*"),), {"tel/dial", "tel/hangup", "radio/ptt"}),
    ],
)
def test_commands_are_permitted_by_right(rights: tuple[Right, ...], commands: set[str]) -> None:
    application = Principal(PrincipalKind.APPLICATION, "cad", rights)
    role = application_role("duty", application, ["tel.dial", "tel.hangup", "radio.ptt"])
    sends = {acl.topic for acl in role.acls if acl.acltype == "publishClientSend"}
    assert sends == {f"gw/v1/duty/cmd/cad/{command}" for command in commands}
