"""Sessions recorded from a real Asterisk, read by both witnesses."""

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.asterisk.ami_codec import AmiMessage
from gateway.asterisk.cel import parse
from trunks.telephone.calls import Answered, Ended, HungUp, Started
from trunks.telephone.observe import AMI_EVENTS, AmiObserver, CelObserver, Switchboard, endpoint_of

BOARD = Switchboard("trunk", frozenset({"101", "102"}), lambda number: "line-1" if number == "88110001" else "none")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ami(event: str, **headers: str) -> AmiMessage:
    return AmiMessage(
        "\r\n".join([f"Event: {event}", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]).encode(), event
    )


def leg(channel: str, uniqueid: str, linkedid: str) -> dict[str, str]:
    return {"Channel": channel, "Uniqueid": uniqueid, "Linkedid": linkedid}


def test_endpoints() -> None:
    assert endpoint_of("PJSIP/101-0000000a") == "101"
    assert endpoint_of("PJSIP/head-office-0000000a") == "head-office"
    assert endpoint_of("Local/s@tl-0000000a;1") == endpoint_of("") == endpoint_of("PJSIP/101") == ""


def test_a_caller_in_ami() -> None:
    trunk = leg("PJSIP/trunk-00000001", "1.1", "1.1")
    (started,) = AmiObserver(BOARD).observe(
        ami("Newchannel", **trunk, CallerIDNum="13800138000", Exten="88110001", Timestamp="1770000000.5"), NOW
    )
    assert isinstance(started, Started)
    assert (started.direction, started.line, started.caller) == ("in", "line-1", "13800138000")
    assert started.at == datetime.fromtimestamp(1770000000.5, UTC)
    (over,) = AmiObserver(BOARD).observe(ami("Hangup", **trunk, Cause="16", Cause_txt="Normal Clearing"), NOW)
    assert isinstance(over, HungUp)
    assert (over.cause, over.cause_text, over.at) == (16, "Normal Clearing", NOW)


def test_a_dialled_leg_is_no_caller() -> None:
    dialled = leg("PJSIP/trunk-00000002", "1.2", "tl-x")
    observer = AmiObserver(BOARD)
    assert observer.observe(ami("Newchannel", **dialled, Exten=""), NOW) == []
    (up,) = observer.observe(ami("Newstate", **dialled, ChannelStateDesc="Up"), NOW)
    assert isinstance(up, Answered)
    alarm = leg("PJSIP/trunk-00000003", "tl-y", "tl-y")
    assert observer.observe(ami("Newchannel", **alarm, Exten=""), NOW) == []


@given(
    st.sampled_from(AMI_EVENTS),
    st.dictionaries(st.sampled_from(["Channel", "Uniqueid", "Cause", "Timestamp", "Exten"]), st.text(max_size=20)),
)
def test_any_header_is_survived(event: str, headers: dict[str, str]) -> None:
    headers = {name: value.encode("utf-8", "replace").decode().replace("\r\n", "") for name, value in headers.items()}
    AmiObserver(BOARD).observe(ami(event, **headers), NOW)


def test_a_recorded_call_in_cel() -> None:
    data = (Path(__file__).parents[3] / "data/cel/call_through_fastagi.csv").read_bytes()
    parsed = parse(data)
    assert parsed.records
    observer = CelObserver(
        Switchboard(endpoint_of(parsed.records[0].channel) or "trunk", frozenset(), lambda _: "line-1")
    )
    seen = [one for record in parsed.records for one in observer.observe(record)]
    assert isinstance(seen[-1], Ended)
    assert any(isinstance(one, HungUp) for one in seen)
