import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InvalidInputError
from trunks.radio import pei_commands
from trunks.radio.pei import Final, Indication, Line, PeiCodec, as_dict, groups
from trunks.radio.pei_tables import Dialect

SESSION = (
    b"\x00\xff\x81+CREG: 0\r\n\r\n+CREG: 1,00123,09011638\r\n"
    b"AT+CTXD=1,0\r\r\n+CTICN: 1,0,0,5,09011638300023404,1,1,0,1,1,5,09011638300000001,0\r\n\r\nOK\r\n"
    b"\r\n+CTXG: 1,3,0,0,3,09011638300023404\r\n+CDTXC:1,0 \r\n"
    b"\r\n+CTSDSR: 12,23404,0,23401,0,112\r\n\r\n+CSQ: 31,99\r\n82040801476A61746A616A676A61\r\n"
    b"+CTSDSR: 12,23404,0,23401,0,84\r\n0A112853A9FF4D4FFFE81\r\n+CTCR: 1,13\r\n+CME ERROR: 35\r\nERROR\r\n"
)


def read(text, dialect=Dialect.PLAIN):
    codec = PeiCodec(dialect)
    return [as_dict(event) for event in [*codec.feed(text.encode()), *codec.flush()]]


def one(text, dialect=Dialect.PLAIN):
    (shown,) = read(text, dialect)
    return shown


def test_an_incoming_group_call_of_a_real_radio():
    shown = one("+CTICN: 1,0,0,5,09011638300023404,1,1,0,1,1,5,09011638300000001,0")
    assert shown["type"] == "CTICN"
    assert (shown["instance"], shown["status"], shown["priority"]) == (1, 0, 0)
    assert (shown["calling"], shown["called"]) == ("09011638300023404", "09011638300000001")


def test_another_real_radio_without_spaces_and_with_short_identities():
    shown = one("+CTICN:0,0,0,0,255,1,1,0,1,1,1,216216300000300,3")
    assert (shown["calling"], shown["called"], shown["priority"]) == ("255", "216216300000300", 3)
    assert one("+CTCC:0,1,1,0,0,1,1,3")["instance"] == 0
    assert one("+CTXG:0,3,0,0,0,255")["talker"] == "255"


def test_empty_and_bracketed_fields_are_absent():
    shown = one("+CTICN: 1,0,0,[],,1,1,0,1,1,[5],[901],")
    assert (shown["calling"], shown["called"], shown["priority"]) == (None, "901", None)


def test_nine_fields_have_a_table_of_their_own():
    shown = one("+CTICN: 1,0,0,1,1001,1,1,9001,15", Dialect.RIL)
    assert (shown["calling"], shown["called"], shown["priority"]) == ("1001", "9001", 15)


@pytest.mark.parametrize(("value", "grant"), [(0, "granted"), (1, "refused"), (2, "queued"), (3, "other"), (7, None)])
def test_a_grant_is_told_by_its_name(value, grant):
    assert one(f"+CTXG: 1,{value},0,0")["grant"] == grant


def test_who_speaks_and_why_a_call_ended():
    assert one("+CTXG: 1,3,0,0,3,09011638300023404") == {
        "type": "CTXG",
        "instance": 1,
        "grant": "other",
        "grant_code": 3,
        "request_permission": 0,
        "e2e": 0,
        "talker_type": 3,
        "talker": "09011638300023404",
    }
    assert one("+CTCR: 1,13") == {"type": "CTCR", "instance": 1, "cause": 13, "reason": "timer"}
    assert one("+CDTXC: 1,0  ")["type"] == "CDTXC"


@pytest.mark.parametrize(
    ("header", "calling", "called", "bits"),
    [
        ("12,1234567,16", None, "1234567", 16),
        ("12,1234567,0,16", None, "1234567", 16),
        ("12,1234567,0,2345678,0,16", "1234567", "2345678", 16),
        ("12,23404,0,23401,0,112,0", "23404", "23401", 112),
    ],
)
def test_the_forms_of_a_message_header(header, calling, called, bits):
    shown = one(f"+CTSDSR: {header}\r\n8004")
    assert (shown.get("calling"), shown["called"], shown["bits"], shown["data"]) == (calling, called, bits, "8004")


def test_an_odd_number_of_digits_is_right():
    assert one("+CTSDSR: 12,23404,0,23401,0,84\r\n0A112853A9FF4D4FFFE81\r\n")["data"] == "0A112853A9FF4D4FFFE81"


def test_data_on_the_line_of_the_header():
    assert one("+CTSDSR: 12,23404,0,23401,0,96, 82041D014164676A6D707477")["data"] == "82041D014164676A6D707477"


def test_what_comes_between_header_and_data_is_told_at_once():
    told = PeiCodec().feed(b"+CTSDSR: 12,1,0,2,0,32\r\n+CTXG: 1,0,0,0\r\nOK\r\n82100008\r\n")
    assert [getattr(event, "name", "OK") for event in told] == ["CTXG", "OK", "CTSDSR"]


def test_a_header_whose_data_never_come_is_told_in_the_end():
    told = PeiCodec().feed(b"+CTSDSR: 13,1,0,2,0,16\r\n" + b"+CSQ: 1,2\r\n" * 8)
    assert told[-1].name == "CTSDSR"
    assert told[-1].data is None


def test_the_echo_of_our_own_message_is_not_the_data():
    told = PeiCodec().feed(b"+CTSDSR: 12,1,0,2,0,32\r\n8204\x1a\r\n82100008\r\n")
    assert told[-1].data == "82100008"


def test_registration_signal_groups_gateways_identities():
    assert one("+CREG: 1,0042,09011638") == {
        "type": "CREG",
        "status": 1,
        "location_area": "0042",
        "mni": "09011638",
        "registration": "home",
    }
    assert one("+CSQ: 20,99")["dbm"] == -73
    assert one("+CSQ: 99,99")["dbm"] is None
    assert one("+CTGS: 1,09011638300000001,3,0901")["groups"] == {"09011638300000001": 1, "0901": 3}
    assert one("+CTGS: 901")["group"] == "901"
    assert one("+CTDGR: 2,1001,90116383,0")["address"] == "1001"
    assert one("+CNUMF: 6,09011638300023401")["identity"] == "09011638300023401"
    assert one("+CNUMD: 1,123456712341234,消防一组")["name"] == "消防一组"
    assert one("+CMGS: 0,4,65") == {"type": "CMGS", "instance": 0, "status": 4, "reference": 65}


def test_final_results():
    told = PeiCodec().feed(b"OK\r\nERROR\r\n+CME ERROR: 35\r\n+CMS Error: 42\r\nCME ERROR: x\r\n\x00\x01OK\r\n")
    assert told == [
        Final(ok=True, text="OK"),
        Final(ok=False, text="ERROR"),
        Final(ok=False, text="35", source="CME", code=35),
        Final(ok=False, text="42", source="CMS", code=42),
        Final(ok=False, text="x", source="CME"),
        Final(ok=True, text="OK"),
    ]
    assert as_dict(told[2])["meaning"] == "syntax"


def test_a_name_that_ends_like_a_result_is_no_result():
    assert PeiCodec().feed("1,123,消防OK\r\n".encode()) == [Line("1,123,消防OK")]


def test_garbage_is_counted_and_a_line_without_end_is_dropped():
    codec = PeiCodec()
    assert codec.feed(b"\xff\xfe\x00+CTCR: 1,13\r\n")[0].number("cause") == 13
    assert codec.garbage == 3
    assert codec.feed(b"x" * 100_000) == []
    assert codec.feed(b"y\r\nOK\r\n") == [Final(ok=True, text="OK")]
    assert codec.oversize == 1


def test_a_session_does_not_depend_on_how_it_is_cut():
    whole = PeiCodec().feed(SESSION)
    assert len(whole) == 13
    for cut in range(len(SESSION)):
        codec = PeiCodec()
        assert codec.feed(SESSION[:cut]) + codec.feed(SESSION[cut:]) == whole
    codec = PeiCodec()
    assert [event for octet in SESSION for event in codec.feed(bytes([octet]))] == whole


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(SESSION.split(b"\n"))), max_size=20))
def test_any_octets_are_survived_however_they_are_cut(chunks):
    codec, together = PeiCodec(), PeiCodec()
    told = [event for chunk in chunks for event in codec.feed(chunk)]
    assert told == together.feed(b"".join(chunks))
    for event in [*told, *codec.flush()]:
        as_dict(event)
    codec.feed(b"\r\n")
    assert codec.feed(b"+CTXG: 1,1,0,0\r\n")[-1].number("grant") == 1


@given(st.binary(max_size=40).filter(lambda junk: b"\r" not in junk and b"\n" not in junk))
def test_a_transcript_with_garbage_between_its_lines(junk):
    lines = [b"+CTCR: 1,13", b"+CDTXC: 1,0", b"+CTXG: 1,2,0,0"]
    told = PeiCodec().feed(b"".join(junk + b"\r\n" + line + b"\r\n" for line in lines))
    names = [event.name for event in told if isinstance(event, Indication)]
    assert [name for name in names if name in {"CTCR", "CDTXC", "CTXG"}] == ["CTCR", "CDTXC", "CTXG"]


def test_groups_of_a_message_without_any():
    assert groups(Indication("CTGS")) == {}


def test_commands():
    assert pei_commands.line(pei_commands.demand(1, pei_commands.Demand.EMERGENCY)) == b"AT+CTXD=1,3\r"
    assert pei_commands.cease(2) == "AT+CUTXC=2"
    assert pei_commands.call_parameters(group=True, priority=15) == "AT+CTSDC=0,0,0,1,1,0,1,1,1,15,0"
    assert pei_commands.message("23404", "82100008") == ("AT+CMGS=23404,32", "82100008")
    assert pei_commands.message("23404", "0A112853A9FF4D4FFFE81")[0] == "AT+CMGS=23404,84"


@pytest.mark.parametrize("bad", ["", "1\r", "12a", "1,2", "９９", "1" * 25])
def test_nothing_is_injected_by_an_identity(bad):
    with pytest.raises(InvalidInputError):
        pei_commands.dial(bad)


@pytest.mark.parametrize("bad", ["AT\rATZ", "AT+名", "AT\x1a"])
def test_nothing_is_injected_by_a_command(bad):
    with pytest.raises(InvalidInputError):
        pei_commands.line(bad)


def test_reset_is_never_among_the_commands():
    assert not any("ATZ" in command for command in pei_commands.PROFILES)
