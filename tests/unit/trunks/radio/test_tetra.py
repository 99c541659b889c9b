import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunks.radio import sds
from trunks.radio.driver import (
    CallEnded,
    CallProgressed,
    CallStarted,
    GroupsHeard,
    MessageProgressed,
    PositionHeard,
    RegistrationHeard,
    SignalHeard,
    Stage,
    StatusHeard,
    TalkEnded,
    TalkStarted,
    TextHeard,
    TransmitChanged,
    Verdict,
)
from trunks.radio.outbox import Outbox
from trunks.radio.pei import Indication, PeiCodec
from trunks.radio.tetra import ReportHeard, ReportOwed, TetraCall, TetraTranslator, short

GROUP_CALL = "+CTICN: 1,0,0,5,09011638300023404,1,1,0,1,1,5,09011638300000001,0"


def hear(translator, *lines, now_s=0.0):
    codec, told = PeiCodec(), []
    for event in codec.feed("\r\n".join([*lines, ""]).encode()):
        if isinstance(event, Indication):
            told += translator.heard(event, now_s)
    return told


def test_a_group_call_of_a_real_radio():
    told = hear(
        TetraTranslator(),
        GROUP_CALL,
        "+CTXG: 1,3,0,0,3,09011638300023404",
        "+CDTXC: 1,0",
        "+CTCR: 1,13",
    )
    assert told == [
        CallStarted(1, "09011638300023404", "09011638300000001", group=True, priority=0, incoming=True),
        TalkStarted(1, "09011638300023404"),
        TalkEnded(1, free=True),
        CallEnded(1, "timer"),
    ]


def test_an_emergency_call_says_so():
    (call,) = hear(TetraTranslator(), "+CTICN: 2,0,0,1,23404,1,1,0,1,1,1,1000,15")
    assert call.emergency


@pytest.mark.parametrize("line", ["+CTXG: 1,1,1,0", "+CTXG: 1,2,0,0", "+CTXG: 1,9,0,0", "+CTXG: 1,,0,0"])
def test_only_a_grant_is_a_grant(line):
    translator = TetraTranslator()
    told = hear(translator, GROUP_CALL, line)
    assert TransmitChanged(Verdict.GRANTED) not in told
    assert not translator.calls[1].transmitting


def test_queued_and_then_granted_and_then_preempted():
    translator = TetraTranslator()
    hear(translator, GROUP_CALL)
    assert hear(translator, "+CTXG: 1,2,0,0", "+CTXG: 1,0,0,0") == [
        TransmitChanged(Verdict.QUEUED),
        TransmitChanged(Verdict.GRANTED),
    ]
    assert hear(translator, "+CTXI: 1,3,0,0,3,23405") == [
        TransmitChanged(None, "preempted"),
        TalkStarted(1, "23405"),
    ]


def test_a_call_that_ends_ends_who_spoke_in_it():
    translator = TetraTranslator()
    hear(translator, GROUP_CALL, "+CTXG: 1,0,0,0")
    assert hear(translator, "+CTCR: 1,9") == [TransmitChanged(None, "preempted"), CallEnded(1, "preempted")]
    hear(translator, GROUP_CALL, "+CTXG: 1,3,0,0,3,5")
    assert hear(translator, "+CTCR: 1,99") == [TalkEnded(1, free=False), CallEnded(1, "cause_99")]


def test_late_entry_and_a_stale_end():
    translator = TetraTranslator(group="1000")
    assert hear(translator, "+CTXG: 3,3,0,0,3,23404")[0] == CallStarted(
        3, "", "1000", group=True, priority=0, incoming=True, late=True
    )
    assert hear(translator, "+CTCR: 7,13", "+CTCR: ,", "+CTXG: x,0") == []


def test_a_call_that_was_dialled_gets_its_number():
    translator = TetraTranslator()
    translator.dialled = TetraCall(0, called="1000", incoming=False, priority=15)
    assert hear(translator, "+CTOCP: 2,1,0,1,1,0,1,1", "+CTCC: 2,1,1,0,0,1,1") == [
        CallStarted(2, "", "1000", group=True, priority=15, incoming=False),
        CallProgressed(2, "queued"),
    ]
    assert translator.call_of("0901163800001000").instance == 2


def test_a_number_that_is_used_again_ends_what_had_it():
    translator = TetraTranslator()
    assert hear(translator, GROUP_CALL, GROUP_CALL)[1] == CallEnded(1, "replaced")
    assert translator.forget() == [CallEnded(1, "radio_lost")]


def test_registration_signal_and_groups():
    told = hear(TetraTranslator(), "+CREG: 5,0042,0901", "+CREG: 2", "+CSQ: 21,99", "+CTGS: 1,1000,3,1001")
    assert told == [
        RegistrationHeard("visited", "0042", "0901"),
        RegistrationHeard("none"),
        SignalHeard(-71),
        GroupsHeard("1000", {"1001": 3}),
    ]
    assert told[0].in_service
    assert not told[1].in_service


def test_a_text_its_report_and_its_repetition():
    translator = TetraTranslator()
    lines = ("+CTSDSR: 12,23404,0,23401,0,112", "82040801476A61746A616A676A61")
    owed = ReportOwed("23404", "82100008")
    assert hear(translator, *lines) == [TextHeard("23404", "23401", "Gjatjajgja"), owed]
    assert hear(translator, *lines, now_s=5.0) == [owed]
    assert hear(translator, *lines, now_s=500.0) == [TextHeard("23404", "23401", "Gjatjajgja"), owed]


def test_a_long_text_in_parts_out_of_order():
    text = "请单雄信、曾国藩到𠮷野家集合🚒" * 12
    translator, told = TetraTranslator(), []
    for part in reversed(sds.texts(text, reference=4)):
        digits = sds.encode(part)
        told += hear(translator, f"+CTSDSR: 12,23404,0,23401,0,{4 * len(digits)}", digits)
    assert [one for one in told if isinstance(one, TextHeard)] == [TextHeard("23404", "23401", text)]


def test_every_form_of_an_emergency():
    translator = TetraTranslator()
    (status,) = hear(translator, "+CTSDSR: 13,23404,0,23401,0,16", "0000")
    assert status == StatusHeard("23404", "23401", 0)
    assert status.emergency
    position = hear(translator, "+CTSDSR: 12,23404,0,23401,0,84", "0A112853A9FF4D4FFF021")
    assert isinstance(position[0], PositionHeard)


def test_reports_of_every_form():
    translator = TetraTranslator()
    assert hear(translator, "+CTSDSR: 12,23404,0,23401,0,32", "82100008") == [ReportHeard("23404", 8, 0)]
    assert hear(translator, "+CTSDSR: 13,23404,0,23401,0,16", "7E08") == [ReportHeard("23404", 8, 0)]


def test_the_same_radio_with_and_without_its_network():
    assert short("09011638300023404") == short("23404") == "23404"


@given(st.lists(st.text(alphabet="+CTXGICNSDR:0123456789, ABF\r\n", max_size=40), max_size=20))
def test_anything_is_understood_or_ignored(lines):
    hear(TetraTranslator(), *lines, GROUP_CALL)


def test_sent_is_not_delivered_and_nothing_steps_back():
    outbox = Outbox()
    outbox.begin("m", "23404", [8])
    assert outbox.accepted("m", 0, 1) == [MessageProgressed("m", Stage.ACCEPTED)]
    assert outbox.told_by_radio(1, 4) == [MessageProgressed("m", Stage.SENT)]
    assert outbox.told_by_receiver(ReportHeard("09011638300023404", 8, 0)) == [MessageProgressed("m", Stage.DELIVERED)]
    assert outbox.told_by_receiver(ReportHeard("23404", 8, 0)) == []
    assert outbox.told_by_radio(1, 4) == []
    assert outbox.told_by_receiver(ReportHeard("23404", 8, 2)) == [MessageProgressed("m", Stage.CONSUMED)]


def test_a_report_before_the_radio_says_sent():
    outbox = Outbox()
    outbox.begin("m", "23404", [8])
    outbox.accepted("m", 0, 1)
    assert outbox.told_by_receiver(ReportHeard("23404", 8, 0)) == [MessageProgressed("m", Stage.DELIVERED)]
    assert outbox.told_by_radio(1, 4) == []


def test_a_message_in_parts_is_where_its_last_part_is():
    outbox = Outbox()
    outbox.begin("m", "23404", [8, 9])
    assert outbox.accepted("m", 0, 1) == []
    assert outbox.accepted("m", 1, 2) == [MessageProgressed("m", Stage.ACCEPTED)]
    assert outbox.told_by_receiver(ReportHeard("23404", 9, 0)) == []
    assert outbox.told_by_receiver(ReportHeard("23404", 8, 0)) == [MessageProgressed("m", Stage.DELIVERED)]


def test_one_failure_fails_it_once():
    outbox = Outbox()
    outbox.begin("m", "23404", [8, 9])
    outbox.accepted("m", 0, 1)
    assert outbox.told_by_radio(1, 5) == [MessageProgressed("m", Stage.FAILED, "not_sent")]
    assert outbox.told_by_receiver(ReportHeard("23404", 9, 0x4A)) == []
    assert outbox.told_by_receiver(ReportHeard("99", 9, 0x4A)) == []


def test_what_is_remembered_is_bounded():
    outbox = Outbox()
    for number in range(600):
        outbox.begin(str(number), "23404", [number % 256])
    assert outbox.accepted("0", 0, 1) == []
    assert outbox.accepted("599", 0, 1)
