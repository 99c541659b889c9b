import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.asterisk.render import CEL_COLUMNS
from gateway.asterisk.cel import COLUMNS, CelPosition, CelReader, CelType, parse
from gateway.asterisk.errors import CelError

RECORDED = Path("tests/data/cel/call_through_fastagi.csv").read_bytes()
LINE = RECORDED[: RECORDED.index(b"\n") + 1]


def csv(*fields: str) -> bytes:
    return (",".join('"' + field.replace('"', '""') + '"' for field in fields) + "\n").encode()


def start(number: str = "110", uniqueid: str = "1.0") -> bytes:
    return csv("CHAN_START", "1795307170.620524", uniqueid, "1.0", "PJSIP/trunk-1", "tl-incoming", "s", number, "", "")


def test_the_columns_are_those_of_the_configuration():
    assert COLUMNS == CEL_COLUMNS


def test_a_recorded_call():
    parsed = parse(RECORDED)
    assert (parsed.consumed, parsed.garbage) == (len(RECORDED), 0)
    assert len(parsed.records) == RECORDED.count(b"\n")
    hangup = next(record for record in parsed.records if record.type is CelType.HANGUP)
    assert (hangup.hangup_cause, hangup.hangup_source) == (0, "dialplan/agi")
    assert parsed.records[0].type is CelType.CHAN_START
    ends = [record for record in parsed.records if record.type is CelType.LINKEDID_END]
    assert len(ends) == 1


def test_one_record():
    extra = '{"hangupcause":17,"hangupsource":"PJSIP/a,\\"b\\"","dialstatus":"BUSY"}'
    (record,) = parse(csv("HANGUP", "1795307170.000007", "1.1", "1.0", "c", "x", "e", "曾国藩", "911", extra)).records
    assert record.time == datetime(2026, 11, 22, 0, 26, 10, 7, tzinfo=UTC)
    assert (record.hangup_cause, record.hangup_source, record.dial_status) == (17, 'PJSIP/a,"b"', "BUSY")
    assert (record.uniqueid, record.linkedid, record.channel) == ("1.1", "1.0", "c")
    assert (record.context, record.extension, record.caller_number, record.called_number) == ("x", "e", "曾国藩", "911")
    assert "曾国藩" not in repr(record)


def test_an_unknown_kind_is_kept_by_name():
    (record,) = parse(start().replace(b"CHAN_START", b"PARK_START")).records
    assert (record.type, record.name) == (CelType.OTHER, "PARK_START")


@pytest.mark.parametrize("cut", range(1, len(LINE)))
def test_a_torn_last_line_is_left_for_later(cut):
    parsed = parse(RECORDED + LINE[:cut])
    assert parsed.consumed == len(RECORDED)
    assert parsed.garbage == 0


@pytest.mark.parametrize("cut", [1, 5, 20, len(LINE) - 10, len(LINE) - 1])
def test_a_line_torn_by_a_crash_costs_only_itself(cut):
    parsed = parse(LINE[:cut] + RECORDED)
    assert len(parsed.records) == len(parse(RECORDED).records)
    assert parsed.garbage == 1
    assert parsed.consumed == cut + len(RECORDED)


@pytest.mark.parametrize(
    "garbage", [b"\n", b"what\n", b'"a","b"\n', b"\xff\x00\n", b'"', b"x" * 20_000 + b"\n", b'"' * 20_001 + b"\n"]
)
def test_garbage_is_reported_and_passed(garbage):
    parsed = parse(garbage + LINE + garbage + LINE + LINE)
    assert len(parsed.records) == 3
    assert parsed.garbage >= 2


def test_a_caller_cannot_forge_a_record():
    forged = '1","x"\n"LINKEDID_END","1.5","1.0","1.0","c","x","e","n","d",""\n"'
    parsed = parse(start(forged) + start(uniqueid="2.0"))
    assert [record.type for record in parsed.records] == [CelType.CHAN_START] * 2
    assert parsed.records[0].caller_number == forged


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=200))
def test_any_number_comes_back(number):
    assert [record.caller_number for record in parse(start(number)).records] == [number]


@given(st.binary(max_size=500))
def test_any_bytes_are_survived(data):
    parsed = parse(data + b"\n" + start() + start())
    assert parsed.records
    assert parsed.records[-1].uniqueid == "1.0"


@pytest.mark.parametrize("extra", ["{", "nonsense", "[1]", "null"])
def test_odd_extras(extra):
    parsed = parse(start().replace(b'""\n', csv(extra)) + LINE)
    assert parsed.records[-1].type is CelType.CHAN_START


async def test_reading_on_from_a_position(tmp_path):
    path = tmp_path / "trunkline.csv"
    reader = CelReader(path)
    nowhere = CelPosition()
    assert await reader.read(nowhere) == ([], nowhere)
    path.write_bytes(start() + start()[:20])
    records, first = await reader.read(nowhere)
    assert len(records) == 1
    assert await reader.read(first) == ([], first)
    with path.open("ab") as file:
        file.write(start()[20:])
    records, second = await CelReader(path).read(first)
    assert len(records) == 1
    assert second.offset == path.stat().st_size


async def test_rotation_reads_the_rest_of_the_old_file_first(tmp_path):
    path = tmp_path / "trunkline.csv"
    path.write_bytes(start(uniqueid="1.1"))
    reader = CelReader(path)
    _, position = await reader.read(CelPosition())
    with path.open("ab") as file:
        file.write(start(uniqueid="1.2") + start()[:30])
    path.rename(tmp_path / "trunkline.csv.1")
    path.write_bytes(start(uniqueid="1.3"))
    seen = []
    while True:
        records, position = await reader.read(position)
        if not records:
            break
        seen += [record.uniqueid for record in records]
    assert seen == ["1.2", "1.3"]
    assert reader.garbage == 1


async def test_a_truncated_file_is_read_from_its_beginning(tmp_path):
    path = tmp_path / "trunkline.csv"
    path.write_bytes(start() * 3)
    reader = CelReader(path)
    _, position = await reader.read(CelPosition())
    os.truncate(path, 0)
    path.write_bytes(start(uniqueid="9.9"))
    records, position = await reader.read(position)
    assert [record.uniqueid for record in records] == ["9.9"]
    assert position.offset == path.stat().st_size


async def test_a_long_file_is_read_in_parts(tmp_path):
    path = tmp_path / "trunkline.csv"
    count = 3 * (1 << 20) // len(start())
    path.write_bytes(start() * count)
    reader = CelReader(path)
    position, seen, reads = CelPosition(), 0, 0
    while True:
        records, position = await reader.read(position)
        if not records:
            break
        seen += len(records)
        reads += 1
    assert seen == count
    assert reads > 2
    assert reader.garbage == 0


async def test_what_cannot_be_read_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CelError):
        await CelReader(tmp_path / "file" / "x.csv").read(CelPosition())


def test_hostile_bytes_cost_linear_time():
    began = time.process_time()
    for hostile in (b"\n", b'"', b'"A","1.1","', b'"A","1.1","x\n', b'"A","1.1",' + b'"",' * 6):
        parse(hostile * ((1 << 18) // len(hostile)))
    assert time.process_time() - began < 5
