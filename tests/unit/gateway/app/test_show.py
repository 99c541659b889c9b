from datetime import UTC, datetime

from gateway.app.show import event_line, status_lines

EVENT = {
    "time": "2026-11-22T08:09:10.123456Z",
    "type": "tel.call_started.v1",
    "source": "/gw/main/tel/line-1",
    "gwseq": 7,
    "data": {"line": "line-1", "contact": {"name": "单雄信 🚒", "post": None}, "phones": ["101"]},
}


def test_an_event_is_one_line_of_what_matters():
    clock = datetime(2026, 11, 22, 8, 9, 10, 123456, tzinfo=UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
    line = event_line(EVENT)
    assert line.startswith(f"{clock} #7     line-1           tel.call_started  line=line-1 ")
    assert 'contact.name="单雄信 🚒"' in line
    assert "post" not in line


def test_what_was_recovered_is_told():
    assert "call_started (recovered)" in event_line({**EVENT, "recovered": True})


def test_nothing_that_a_caller_sends_moves_the_terminal():
    line = event_line({**EVENT, "data": {"name": "a\x1b[2Jb\r\nc\u202e", "long": "长" * 500}})
    assert line.isprintable()
    assert len(line) < 200


def test_status_is_a_line_for_each_part():
    since = "2026-11-22T08:09:10Z"
    status = {
        "site": "main",
        "state": "DEGRADED",
        "epoch": 2,
        "last_seq": 9,
        "adapters": [
            {"name": "ami", "state": "DEGRADED", "since": since, "reason": "ami.lost", "restarts": 3},
            {"name": "web", "state": "READY", "since": since, "reason": "", "restarts": 0},
        ],
    }
    head, ami, web = status_lines(status)
    assert head == "site main  DEGRADED  epoch 2  events 9"
    assert ami.startswith("▲ ami ")
    assert ami.endswith("restarts 3  ami.lost")
    assert web.startswith("● web ")
