"""The interface as other programs meet it."""

import json

import httpx
import pytest
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody
from litestar.router import Router

from gateway.core.errors import ConflictError, InternalError, UnavailableError
from gateway.core.page import Page
from gateway.core.supervisor import State
from gateway.core.text import Text
from gateway.principals.model import Principal
from gateway.web.command_routes import wait_of
from gateway.web.openapi import document
from gateway.web.options import WebOptions
from gateway.web.problems import language_of
from tests.fakes.web import AdapterChanged, CallStarted, FakeAnswer, LineState, console

WALL = {"authorization": "Bearer wall:s3cret"}


@get("/lines/{number:int}")
async def a_features_handler(principal: NamedDependency[Principal], number: FromPath[int]) -> dict[str, str]:
    if number > 8:
        raise ConflictError(what=f"线路 {number}", reason="busy")
    return {"asked_by": str(principal)}


@get("/broken")
async def broken() -> None:
    raise ZeroDivisionError("the secret of the database")


@get("/defect")
async def defect() -> None:
    raise InternalError(what="test") from ValueError("postgresql://user:password@host")


@post("/upload", request_max_body_size=4 << 20)
async def upload(body: RawBody) -> dict[str, int]:
    return {"bytes": len(body)}


@pytest.fixture
async def features(short_path):
    page = short_path / "page"
    (page / "sub").mkdir(parents=True)
    (page / "lines.js").write_text("export function mount() {}")
    (page / "sub" / "more.css").write_text("p {}")
    (page / "lines.svg").write_text("<svg/>")
    (page / "notes.txt").write_text("not for the page")
    (page / ".hidden.js").write_text("not either")
    (short_path / "secret.js").write_text("outside")
    pages = [
        Page("lines", Text("Lines", "线路"), page / "lines.js", "lines.svg"),
    ]
    routes = [a_features_handler, broken, defect, upload]
    options = WebOptions(port=0, stop_s=1.0, heartbeat_s=0.2, max_body_bytes=2000, allowed_hosts=("console.example",))
    async with (
        console(short_path, options, pages=pages, routes=routes) as running,
        httpx.AsyncClient(base_url=running.url, headers=WALL) as client,
    ):
        client.running = running
        yield client


async def test_features_handlers_know_who_asks_and_their_errors_are_problems(features):
    assert (await features.get("/api/v1/lines/1")).json() == {"asked_by": "application:wall"}
    answer = await features.get("/api/v1/lines/9", headers={"accept-language": "zh"})
    assert answer.status_code == 409
    assert answer.json()["title"] == "线路 9：busy。"
    assert answer.json()["type"] == "urn:trunkline:error:conflict"
    assert (await features.get("/api/v1/lines/1", headers={"authorization": ""})).status_code == 401


@pytest.mark.parametrize("path", ["/api/v1/broken", "/api/v1/defect"])
async def test_a_defect_is_answered_without_its_trace(features, path):
    answer = await features.get(path)
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    assert answer.json()["instance"] == answer.headers["x-request-id"]
    for secret in ("Traceback", "secret", "password", "ZeroDivision", "ValueError"):
        assert secret not in answer.text


async def test_unknown_addresses_and_methods_are_problems_in_both_languages(features):
    answer = await features.get("/api/v1/nothing", headers={"accept-language": "zh-Hans"})
    assert (answer.status_code, answer.json()["title"]) == (404, "此地址没有内容。")
    answer = await features.put("/api/v1/status")
    assert (answer.status_code, answer.json()["code"]) == (405, "web.method_not_allowed")
    answer = await features.get("/api/v1/lines/x")
    assert answer.status_code == 404


async def test_large_bodies_are_refused_unless_the_route_allows_them(features):
    answer = await features.post("/api/v1/commands/tel.dial", content=b" " * 3000)
    assert (answer.status_code, answer.json()["code"]) == (413, "web.body_too_large")

    async def chunks():
        for _ in range(4):
            yield b" " * 1000

    answer = await features.post("/api/v1/commands/tel.dial", content=chunks())
    assert answer.status_code == 413
    assert not features.running.dispatcher.taken
    answer = await features.post("/api/v1/upload", content=b"x" * 3000)
    assert answer.json() == {"bytes": 3000}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("169.254.169.254", 421),
        ("console.example", 200),
        ("CONSOLE.example:8460", 200),
        ("localhost:1", 200),
        ("[::1]:8460", 200),
        ("a b", 400),
        ("", 400),
    ],
)
async def test_only_its_own_names_are_answered(features, host, status):
    answer = await features.get("/healthz", headers={"host": host})
    assert answer.status_code == status
    if status == 421:
        assert answer.json()["code"] == "web.host_not_allowed"


async def test_other_sites_cannot_send_requests(features):
    own = str(features.base_url).rstrip("/")
    for headers, status in [
        ({"origin": own}, 401),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": own.replace("127.0.0.1", "localhost")}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": own}, 401),
    ]:
        answer = await features.post("/api/v1/session", json={"name": "a", "password": "b"}, headers=headers)
        assert answer.status_code == status, headers


async def test_every_answer_carries_the_security_headers(features):
    for path in ("/", "/api/v1/nothing", "/healthz", "/static/js/main.js"):
        headers = (await features.get(path)).headers
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers
        assert "strict-transport-security" not in headers


# Commands


async def test_a_command_is_taken_once_and_can_be_looked_up(signed_in, served):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    key = {"idempotency-key": "abc-1", "traceparent": trace}
    answer = await signed_in.post("/api/v1/commands/tel.dial?ttl_s=5&incident=i1", json={"to": "110"}, headers=key)
    assert answer.status_code == 202
    assert answer.json() == {"id": "abc-1", "name": "tel.dial", "state": "accepted", "result": None, "error": None}
    assert answer.headers["location"] == "/api/v1/commands/abc-1"
    assert served.dispatcher.taken == [
        {"id": "abc-1", "to": "110", "ttl_s": 5.0, "incident": "i1", "traceparent": trace}
    ]
    answer = await signed_in.get("/api/v1/commands/abc-1", headers={"prefer": "wait=3"})
    assert (answer.status_code, answer.json()["result"]) == (200, {"call": "c-1"})
    assert (await signed_in.get("/api/v1/commands/other")).json()["code"] == "not_found"


async def test_why_a_command_failed_is_told_in_the_readers_language(signed_in, served):
    error = {"code": "x", "title": "Busy.", "detail": "Wait.", "retryable": True, "cause": None}
    both = error | {"title_zh": "占线。", "detail_zh": "请稍候。"}
    served.dispatcher.answers["a"] = FakeAnswer("a", "tel.dial", "failed", error=both)
    assert (await signed_in.get("/api/v1/commands/a")).json()["error"] == error
    answer = await signed_in.get("/api/v1/commands/a", headers={"accept-language": "zh"})
    assert answer.json()["error"] == error | {"title": "占线。", "detail": "请稍候。"}


async def test_a_missing_key_is_made_up_and_returned(signed_in):
    answer = await signed_in.post("/api/v1/commands/tel.dial", json={"to": "110"}, headers={"prefer": "wait=5"})
    assert answer.status_code == 200
    assert answer.headers["idempotency-key"] == answer.json()["id"]
    assert answer.headers["preference-applied"] == "wait=5"


@pytest.mark.parametrize("key", ["a b", "x" * 65, "a/b", ""])
async def test_a_key_that_is_none_is_refused(signed_in, key):
    answer = await signed_in.post("/api/v1/commands/tel.dial", json={"to": "1"}, headers={"idempotency-key": key})
    assert answer.status_code == 422
    assert answer.json()["title"].startswith("Idempotency-Key")


async def test_an_unknown_command_is_not_found(signed_in):
    assert (await signed_in.post("/api/v1/commands/tel.nothing", json={})).status_code == 404


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [("wait=5", 5), ("respond-async, wait=7", 7), ('wait="3"', 3), ("wait=999999", 60), ("await=5", 0), ("", 0)],
)
def test_prefer_wait(prefer, seconds):
    assert wait_of(prefer) == seconds


# Events over HTTP


async def test_the_stream_is_served_and_resumes_by_the_last_id(features):
    running = features.running
    running.board.put("tel", "line-1", LineState(state="ringing"))
    for number in range(3):
        running.journal.tell(CallStarted(number=number, caller="曾国藩"))
    async with features.stream("GET", "/api/v1/events?from_seq=1", headers={"last-event-id": "2"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        lines = answer.aiter_lines()
        text = ""
        async for line in lines:
            text += line + "\n"
            if line.startswith("id: 3"):
                text += await anext(lines)
                break
    assert "event: snapshot" in text
    assert '"gwseq":2' not in text
    assert "曾国藩" in text


async def test_a_journal_that_cannot_be_read_ends_the_stream_and_not_the_page(features, monkeypatch):
    async def down(seq, *, limit=500):
        raise UnavailableError(part="store", reason="disk")

    monkeypatch.setattr(features.running.journal, "events_after", down)
    answer = await features.get("/api/v1/events?from_seq=1")
    assert answer.status_code == 200
    assert "event: snapshot" in answer.text
    assert features.running.hub.streams == 0


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("from_seq=-1", {}),
        ("from_seq=x", {}),
        ("domain=nope", {}),
        ("type=tel.call", {}),
        ("", {"last-event-id": "x"}),
        ("", {"last-event-id": "9" * 30}),
    ],
)
async def test_a_wrong_question_for_events_is_a_problem(features, query, headers):
    answer = await features.get(f"/api/v1/events?{query}", headers=headers)
    assert answer.status_code == 422
    assert answer.json()["code"] == "input.invalid"


async def test_the_journal_is_read_as_lines_within_the_readers_rights(features):
    for number in range(1200):
        features.running.journal.tell(CallStarted(number=number), "line-1")
        features.running.journal.tell(AdapterChanged(number=number), "ami")
    answer = await features.get("/api/v1/journal?from_seq=3&limit=700")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    seqs = [json.loads(line)["gwseq"] for line in answer.text.splitlines()]
    assert seqs == list(range(3, 3 + 1400, 2))
    everything = await features.get("/api/v1/journal")
    assert len(everything.text.splitlines()) == 1200
    assert (await features.get("/api/v1/journal?from_seq=99999")).text == ""


# Status


async def test_status_tells_the_worst_state(features):
    answer = (await features.get("/api/v1/status")).json()
    assert (answer["state"], answer["site"], answer["epoch"]) == ("READY", "test", 7)
    assert answer["adapters"][0]["name"] == "ami"
    healths = features.running.healths
    healths.append(type(healths[0])("broker", State.DEGRADED, healths[0].since, "gone"))
    assert (await features.get("/api/v1/status")).json()["state"] == "DEGRADED"


async def test_metrics_need_their_right(features, tmp_path):
    assert (await features.get("/metrics")).status_code == 403
    transport = httpx.AsyncHTTPTransport(uds=str(features.running.socket_path))
    async with httpx.AsyncClient(base_url="http://local", transport=transport) as local:
        answer = await local.get("/metrics")
    assert "trunkline_live_streams 0.0" in answer.text
    assert (await features.get("/healthz", headers={"authorization": ""})).json() == {"status": "ok"}


# OpenAPI


async def test_openapi_has_every_command_and_needs_nothing_from_elsewhere(features):
    answer = await features.get("/api/v1/openapi.json", headers={"authorization": ""})
    body = answer.json()
    assert body["openapi"].startswith("3.1")
    dial = body["paths"]["/api/v1/commands/tel.dial"]["post"]
    assert dial["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("tel.dial.Dial")
    assert body["components"]["schemas"]["tel.dial.Dial"]["required"] == ["to"]
    assert "/api/v1/lines/{number}" in body["paths"]
    assert "principal" not in answer.text.replace("principal may", "")
    assert "cdn" not in answer.text
    references = {each.split('"')[0] for each in answer.text.split('"$ref":"#/components/schemas/')[1:]}
    assert references <= set(body["components"]["schemas"])
    for path in ("/schema", "/api/v1/schema", "/schema/swagger"):
        assert (await features.get(path)).status_code == 404


def test_openapi_is_the_same_bytes_each_time():
    from gateway.web.auth import PRINCIPAL
    from tests.fakes.web import DIAL

    made = [
        document(
            [Router("/api/v1", route_handlers=[a_features_handler, upload])],
            {"principal": PRINCIPAL},
            [DIAL],
            cookie_name="c",
        )
        for _ in range(2)
    ]
    assert made[0] == made[1]


# Files


async def test_pages_and_their_files_are_served(features):
    assert (await features.get("/api/v1/pages")).json() == [
        {
            "path": "lines",
            "title": {"en": "Lines", "zh": "线路"},
            "module": "/features/lines/lines.js",
            "icon": "/features/lines/lines.svg",
        }
    ]
    for path, media_type in [
        ("/features/lines/lines.js", "text/javascript; charset=utf-8"),
        ("/features/lines/sub/more.css", "text/css; charset=utf-8"),
        ("/features/lines/lines.svg", "image/svg+xml"),
        ("/static/messages/zh.json", "application/json"),
        ("/", "text/html; charset=utf-8"),
    ]:
        answer = await features.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["content-type"] == media_type
        assert answer.headers["cache-control"] == "no-cache"
        again = await features.get(path, headers={"if-none-match": f'W/"x", {answer.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/features/lines/notes.txt",
        "/features/lines/.hidden.js",
        "/features/lines/../secret.js",
        "/features/lines/%2e%2e/secret.js",
        "/features/lines/..%2fsecret.js",
        "/features/lines/./lines.js",
        "/features/",
        "/features/lines",
        "/static/../options.py",
        "/static/%2e%2e/options.py",
        "/static/..%5coptions.py",
        "/static//etc/passwd",
        "/static/js",
        "/static/%00",
    ],
)
async def test_nothing_but_the_pages_files_is_served(features, path):
    # httpx tidies addresses up, so the request goes out as it is written here.
    import asyncio

    host, port = features.base_url.host, features.base_url.port
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 404"), answer[:200]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("zh", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("fr,zh;q=0.3", "zh"),
        ("fr", "en"),
        ("", "en"),
        ("zh;q=x", "en"),
        ("*", "en"),
        ("en;q=0.1,zh;q=0.2", "zh"),
    ],
)
def test_language_of(accepted, language):
    assert language_of(accepted) == language
