"""msgspec against pydantic v2: decode and validate a typical command and a typical event, and encode the event.

Run it with ``pydantic>=2`` and ``msgspec`` installed: ``python benchmarks/message_models.py``. Both refuse unknown
fields and check the same patterns and lengths. The figures are the best of several rounds, so that what else the
machine does is left out; ratios are what to look at.
"""

import json
import platform
import sys
import time
import timeit
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pydantic

ROUNDS = 7
COMMAND = json.dumps(
    {
        "id": "01jd8yq4x6b0t2m3n4p5q6r7s8",
        "expires_at": "2026-01-01T00:00:10Z",
        "reply_to": "gw/v1/site/res/cad/01jd8yq4x6b0t2m3n4p5q6r7s8",
        "incident": "2026-000123",
        "data": {"number": "02288886666", "position": "position-1", "line": "line-3", "display_name": "单雄信"},
    },
    ensure_ascii=False,
).encode()
EVENT = json.dumps(
    {
        "specversion": "1.0",
        "id": "site-123456",
        "source": "/gw/site/tel/line-3",
        "type": "tel.call_started.v1",
        "subject": "call:01jd8yq4x6b0t2m3n4p5q6r7s8",
        "time": "2026-01-01T00:00:00.123456Z",
        "datacontenttype": "application/json",
        "gwepoch": 7,
        "gwseq": 123456,
        "aggseq": 1,
        "data": {
            "call": "01jd8yq4x6b0t2m3n4p5q6r7s8",
            "direction": "in",
            "line": "line-3",
            "caller": {"number": "13800138000", "name": "曾国藩", "unit": "仇英 𠮷野家 🚒"},
            "called": "119",
            "codecs": ["alaw", "ulaw"],
        },
    },
    ensure_ascii=False,
).encode()

ID = "^[A-Za-z0-9_-]{1,64}$"


class Dial(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    number: Annotated[str, msgspec.Meta(max_length=32)]
    position: str
    line: str
    display_name: Annotated[str, msgspec.Meta(max_length=100)] = ""


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: Annotated[str, msgspec.Meta(pattern=ID)]
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)]
    reply_to: str | None = None
    incident: str | None = None
    data: Dial


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    number: str
    name: str
    unit: str


class CallStarted(msgspec.Struct, frozen=True, kw_only=True):
    call: str
    direction: Literal["in", "out"]
    line: str
    caller: Caller
    called: str
    codecs: tuple[str, ...]


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    datacontenttype: Literal["application/json"]
    gwepoch: int
    gwseq: int
    aggseq: int
    data: CallStarted


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class Open(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)


class PydanticDial(Strict):
    number: Annotated[str, pydantic.Field(max_length=32)]
    position: str
    line: str
    display_name: Annotated[str, pydantic.Field(max_length=100)] = ""


class PydanticCommand(Strict):
    id: Annotated[str, pydantic.Field(pattern=ID)]
    expires_at: pydantic.AwareDatetime
    reply_to: str | None = None
    incident: str | None = None
    data: PydanticDial


class PydanticCaller(Open):
    number: str
    name: str
    unit: str


class PydanticCallStarted(Open):
    call: str
    direction: Literal["in", "out"]
    line: str
    caller: PydanticCaller
    called: str
    codecs: tuple[str, ...]


class PydanticEnvelope(Open):
    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: pydantic.AwareDatetime
    datacontenttype: Literal["application/json"]
    gwepoch: int
    gwseq: int
    aggseq: int
    data: PydanticCallStarted


def microseconds(work: Any) -> float:
    """Return the time of one call, the best of several rounds."""
    timer = timeit.Timer(work)
    number, _ = timer.autorange()
    return min(timer.repeat(ROUNDS, max(1, number // 2))) / max(1, number // 2) * 1e6


def main() -> None:
    command, event = msgspec.json.Decoder(Command), msgspec.json.Decoder(Envelope)
    pydantic_command, pydantic_event = PydanticCommand.model_validate_json, PydanticEnvelope.model_validate_json
    encoder = msgspec.json.Encoder()
    told, pydantic_told = event.decode(EVENT), pydantic_event(EVENT)
    assert command.decode(COMMAND).data.display_name == pydantic_command(COMMAND).data.display_name
    assert json.loads(encoder.encode(told)) == json.loads(pydantic_told.model_dump_json())
    rows: list[tuple[str, Any, Any]] = [
        ("decode a command", lambda: command.decode(COMMAND), lambda: pydantic_command(COMMAND)),
        ("decode an event", lambda: event.decode(EVENT), lambda: pydantic_event(EVENT)),
        ("encode an event", lambda: encoder.encode(told), pydantic_told.model_dump_json),
    ]
    print(f"Python {platform.python_version()}, msgspec {msgspec.__version__}, pydantic {pydantic.VERSION}")
    print(f"command {len(COMMAND)} bytes, event {len(EVENT)} bytes\n")
    print("| | msgspec µs | pydantic µs | ratio |\n| --- | --- | --- | --- |")
    for name, ours, theirs in rows:
        mine, other = microseconds(ours), microseconds(theirs)
        print(f"| {name} | {mine:.2f} | {other:.2f} | {other / mine:.1f} |")
    strict(command)


def strict(command: msgspec.json.Decoder[Command]) -> None:
    """Print what the strict pass over the tokens costs, where the gateway can be imported."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    try:
        from gateway.commands.envelope import check_json
    except ImportError as error:
        print(f"\n(the strict pass is left out: {error})")
        return
    both = microseconds(lambda: (check_json(COMMAND), command.decode(COMMAND)))
    print(f"\nstrict pass and decode of a command: {both:.1f} µs, {1e6 / both:,.0f} a second")
    began = time.perf_counter()
    check_json(b"[" + b'"\\u4e2d",' * 7_000 + b"0]")
    print(f"strict pass over 63 kB of escapes: {(time.perf_counter() - began) * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
