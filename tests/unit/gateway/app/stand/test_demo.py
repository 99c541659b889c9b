from gateway.app.stand.demo import readable


def test_an_event_is_one_line_of_what_matters():
    event = {
        "time": "2026-11-22T08:09:10.123456Z",
        "type": "tel.call_started.v1",
        "subject": "call:01abc",
        "data": {"line": "line-1", "name": "单雄信 🚒", "post": None, "phones": ["101"], "attempt": 0},
    }
    line = readable(event)
    assert line.startswith("08:09:10.123  tel.call_started.v1")
    assert line.endswith('call:01abc  line=line-1 name=单雄信 🚒 phones=["101"] attempt=0')


def test_nothing_that_a_caller_sends_moves_the_terminal():
    line = readable({"type": "t", "data": {"name": "a\x1b[2Jb\r\nc\u202e", "long": "长" * 500}})
    assert line.isprintable()
    assert len(line) < 200


def test_a_strange_event_is_still_a_line():
    assert readable({"data": "text"}).strip() == "?"
