from datetime import UTC, datetime
from typing import ClassVar

import msgspec
import pytest

from gateway.core.board import Board
from gateway.core.events import Envelope, Event, Happening, Message, parse_type, seal
from gateway.core.ids import derived_id, is_level, new_id

NOW = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)


class Rang(Event, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "tel.call_ringing.v1"
    name: str


def test_an_event_becomes_a_cloud_event():
    happening = Happening(Rang(name="单雄信 𠮷 🚒"), "line-1", "call:1", recovered=True, incident="i1")
    envelope = seal(happening, site="duty", epoch=3, seq=2**40, aggseq=1, now=NOW)
    seen = msgspec.json.decode(msgspec.json.encode(envelope))
    assert seen == {
        "specversion": "1.0",
        "id": "duty-1099511627776",
        "source": "/gw/duty/tel/line-1",
        "type": "tel.call_ringing.v1",
        "subject": "call:1",
        "time": "2026-01-01T08:00:00Z",
        "datacontenttype": "application/json",
        "gwepoch": 3,
        "gwseq": 2**40,
        "aggseq": 1,
        "recovered": True,
        "incident": "i1",
        "data": {"name": "单雄信 𠮷 🚒"},
    }
    assert msgspec.json.decode(msgspec.json.encode(envelope), type=Envelope) == envelope


@pytest.mark.parametrize("text", ["tel.call", "tel.Call.v1", "x.call.v1", "tel.call.v0", "tel.call.v1 ", "tel..v1"])
def test_what_is_no_event_type_is_refused(text):
    with pytest.raises(ValueError, match="not an event type"):
        parse_type(text)


def test_ids_are_levels_and_sort_by_time():
    ids = [new_id(ms) for ms in (1, 2, 1_800_000_000_000)]
    assert ids == sorted(ids)
    assert all(is_level(one) and len(one) == 26 for one in ids)
    assert not is_level("a/b")
    assert not is_level("号")
    assert not is_level("")


class Lamp(Message, frozen=True, kw_only=True):
    on: bool


def test_the_board_tells_changes_only():
    board = Board()
    told = []
    stop = board.listen(told.append)
    board.put("tel", "line-1", Lamp(on=False))
    board.put("tel", "line-1", Lamp(on=False))
    board.put("tel", "line-1", Lamp(on=True))
    assert [(shown.revision, shown.state) for shown in told] == [(1, Lamp(on=False)), (2, Lamp(on=True))]
    stop()
    board.put("tel", "line-2", Lamp(on=True))
    assert len(told) == 2
    assert [shown.resource for shown in board.all()] == ["line-1", "line-2"]
    with pytest.raises(ValueError, match="not a resource"):
        board.put("tel", "13800138000/x", Lamp(on=True))


def test_a_derived_id_is_always_the_same_and_sorts_with_the_others():
    assert derived_id("1795308404.0", 1_795_308_404_000) == derived_id("1795308404.0", 1_795_308_404_000)
    assert derived_id("1795308404.0", 1_795_308_404_000) != derived_id("1795308404.1", 1_795_308_404_000)
    assert derived_id("\udcff", 5)[:10] == new_id(5)[:10]
    assert is_level(derived_id("号", 1))
