import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.at import LINE_LIMIT, LINES_LIMIT, AtCodec, Command, Final, Prompt, Reply, Stray, Unsolicited, fields
from sms.causes import Cure, cause_of, cure_of
from sms.profiles import PLAIN, PROFILES, by_name, profile_of

PDU = "07911326040000F0040B911346610089F60000208062917314480CC8F71D14969741F977FD07"
CMGS = Command("AT+CMGS=23", prefix="+CMGS", lines=1, payload=b"0001AA")
CREG = Command("AT+CREG?", prefix="+CREG", lines=1, fields=2)
CMGL = Command("AT+CMGL=4", prefix="+CMGL", bodies=True)

SCRIPT = [
    (CMGS, b'AT+CMGS=23\r\r\n+CMTI: "SM",3\r\n\r\n> ', [Unsolicited("+CMTI", '"SM",3'), Prompt(CMGS)]),
    (None, b'0001AA\x1a\r\nRING\r\n\r\n+CLIP: "+8613900000001",145\r\n',
     [Unsolicited("RING"), Unsolicited("+CLIP", '"+8613900000001",145')]),
    (None, b"\r\n+CMGS: 7\r\n\r\nOK\r\n", [Reply(CMGS, Final("OK"), ("+CMGS: 7",))]),
    (CREG, b"\r\n+CREG: 5\r\n+CREG: 2,1\r\n+CREG: 2\r\nOK\r\n",
     [Unsolicited("+CREG", "5"), Unsolicited("+CREG", "2"), Reply(CREG, Final("OK"), ("+CREG: 2,1",))]),
    (CMGL, f"\r\n+CMGL: 1,0,,30\r\n{PDU}\r\n+CMT: ,30\r\n{PDU}\r\n+CMGL: 2,1,,30\r\n{PDU}\r\n\r\nOK\r\n".encode(),
     [Unsolicited("+CMT", ",30", PDU),
      Reply(CMGL, Final("OK"), ("+CMGL: 1,0,,30", PDU, "+CMGL: 2,1,,30", PDU))]),
    (Command("AT+CGMM"), b"SIM7600\r\nOK then go on\r\n+CDS: 24\r\n0706\r\n^RSSI: 9\r\nOK\r\n",
     [Unsolicited("+CDS", "24", "0706"), Unsolicited("^RSSI", "9"),
      Reply(Command("AT+CGMM"), Final("OK"), ("SIM7600", "OK then go on"))]),
    (Command("AT"), b"\r\n+CMT: ,30\r\nOK\r\n", [Unsolicited("+CMT", ",30"), Reply(Command("AT"), Final("OK"))]),
    (Command("AT+X"), b"COMMAND NOT SUPPORT\r\n",
     [Reply(Command("AT+X"), Final("ERROR", text="COMMAND NOT SUPPORT"))]),
    (Command("AT+Y"), b"+CME ERROR: 515\r\n", [Reply(Command("AT+Y"), Final("CME", 515, "+CME ERROR: 515"))]),
    (Command("AT+Z"), b"+CMS ERROR: SIM busy\r\n",
     [Reply(Command("AT+Z"), Final("CMS", -1, "+CMS ERROR: SIM busy"))]),
    (None, b"\x00\x00OK\r\nwhat\xff\r\n> \r\n", [Stray("OK"), Stray("what\ufffd"), Stray(">")]),
]  # fmt: skip


def play(cut):
    codec = AtCodec()
    for command, data, expected in SCRIPT:
        if command is not None:
            codec.send(command)
        happened = [one for chunk in cut(data) for one in codec.feed(chunk)]
        assert happened == expected
    assert not codec.busy


def test_a_dialogue_in_one_piece():
    play(lambda data: [data])


def test_a_dialogue_octet_by_octet():
    play(lambda data: [data[i : i + 1] for i in range(len(data))])


@given(st.integers(2, 40))
def test_a_dialogue_in_any_chunks(size):
    play(lambda data: [data[i : i + size] for i in range(0, len(data), size)])


@given(st.lists(st.binary(max_size=60), max_size=10), st.sampled_from([None, CMGS, CREG, CMGL]))
def test_any_bytes_are_survived_and_the_next_command_works(chunks, command):
    codec = AtCodec()
    if command is not None:
        codec.send(command)
    for chunk in chunks:
        codec.feed(chunk)
    codec.abandon()
    codec.feed(b"\r\n")
    codec.send(Command("AT"))
    assert codec.feed(b"\r\nOK\r\n")[-1] == Reply(Command("AT"), Final("OK"))


def test_buffers_are_bounded():
    codec = AtCodec()
    assert codec.feed(b"x" * (LINE_LIMIT * 3)) == []
    assert len(codec._buffer) <= LINE_LIMIT
    assert codec.feed(b"\r\nRING\r\n") == [Unsolicited("RING")]
    assert codec.garbage == 1
    codec.send(Command("AT+CGMM"))
    (reply,) = codec.feed(b"a\r\n" * (LINES_LIMIT + 5) + b"OK\r\n")
    assert (len(reply.lines), reply.truncated) == (LINES_LIMIT, True)


def test_one_command_at_a_time():
    codec = AtCodec()
    codec.send(CMGS)
    with pytest.raises(RuntimeError):
        codec.send(CREG)
    assert codec.payload() == b"0001AA\x1a"
    assert codec.abandon() == b"\x1b\r"
    assert codec.feed(b"> ") == []
    with pytest.raises(RuntimeError):
        codec.payload()


def test_a_prompt_with_a_line_end_and_only_one():
    codec = AtCodec()
    codec.send(CMGS)
    assert codec.feed(b"\r\n>\r\n") == [Prompt(CMGS)]
    assert codec.feed(b"> \r\n") == [Stray(">")]


def test_a_prefix_of_the_model_is_news():
    codec = AtCodec(by_name("sim7600").news)
    codec.send(CREG)
    assert codec.feed(b"+CPIN: READY\r\n+FOO: 1\r\n") == [Unsolicited("+CPIN", "READY"), Stray("+FOO: 1")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [('1,"a,b",,3', ["1", "a,b", "", "3"]), ("", [""]), (' "x', ["x"]), ('"SM", 3', ["SM", "3"]), ("a,", ["a", ""])],
)
def test_fields(text, expected):
    assert fields(text) == expected


def test_values_of_a_reply():
    reply = Reply(CMGL, Final("OK"), ('+CMGL: 1,0,"",30', PDU))
    assert reply.values() == [["1", "0", "", "30"]]


@pytest.mark.parametrize(
    ("final", "cure", "cause"),
    [
        (Final("CMS", 38), Cure.RETRY, "cms-38"),
        (Final("CMS", 1), Cure.PERMANENT, "cms-1"),
        (Final("CMS", 322), Cure.PURGE, "cms-322"),
        (Final("CMS", 330), Cure.MODEM, "cms-330"),
        (Final("CMS", 500), Cure.UNKNOWN, "cms-500"),
        (Final("CME", 515), Cure.RETRY, "cme-515"),
        (Final("CME", 10), Cure.MODEM, "cme-10"),
        (Final("ERROR"), Cure.RETRY, "error"),
        (Final("CMS", 999), Cure.RETRY, "cms-999"),
    ],
)
def test_cures(final, cure, cause):
    assert (cure_of(final), cause_of(final)) == (cure, cause)


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        ("SIMCOM INCORPORATED SIMCOM_SIM7600CE", "sim7600"),
        ("Quectel EC25", "ec25"),
        ("huawei E1750", "huawei"),
        ("SIEMENS MC35i", "siemens"),
        ("WAVECOM MODEM MULTIBAND 900E 1800", "wavecom"),
        ("ACME 1", "plain"),
    ],
)
def test_models(identity, name):
    assert profile_of(identity).name == name
    assert by_name(name) in (PLAIN, *PROFILES)
