import io
import json
import logging

import pytest
import structlog

from gateway.core import logs


@pytest.fixture(autouse=True)
def restored():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_one_json_object_a_line_with_the_ids_of_the_task():
    stream = io.StringIO()
    logs.set_up(stream=stream)
    with structlog.contextvars.bound_contextvars(call="c1"):
        structlog.get_logger("a").info("line is ringing", line="line-1", unit="应急办")
        logging.getLogger("b").warning("from a library: %s", "𠮷")
    structlog.get_logger("a").debug("not told")
    first, second = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert first["event"] == "line is ringing"
    assert (first["call"], first["line"], first["unit"], first["level"]) == ("c1", "line-1", "应急办", "info")
    assert (second["event"], second["call"], second["logger"]) == ("from a library: 𠮷", "c1", "b")


def test_an_exception_is_one_line_too():
    stream = io.StringIO()
    logs.set_up(stream=stream)
    try:
        int("boom")
    except ValueError:
        structlog.get_logger("a").exception("it failed")
    [line] = stream.getvalue().splitlines()
    assert "ValueError: invalid literal" in json.loads(line)["exception"]
