"""The listeners: what they refuse, how long they wait, and how they stop."""

import asyncio
import contextlib
import socket
import ssl
import stat
import time

import httpx
import pytest

from gateway.core.errors import Kind
from gateway.web.errors import ListenError
from gateway.web.host import LocalSocket, WebHost
from gateway.web.options import CertificateError, ListenBeyondLoopbackError, WebOptions
from tests.fakes.web import ReadyReporter, console, running


async def no_app(scope, receive, send):
    raise AssertionError("not reached")


class NoHub:
    def close_streams(self):
        pass


async def test_plain_http_beyond_loopback_is_a_configuration_error():
    with pytest.raises(ListenBeyondLoopbackError) as caught:
        await WebHost(WebOptions(host="192.0.2.1", port=0), no_app, NoHub()).run(ReadyReporter())
    assert caught.value.kind is Kind.CONFIG
    assert "certificate_file" in caught.value.message("zh")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_needs_no_certificate(host):
    WebOptions(host=host).check()


def test_who_says_so_may_listen_in_clear():
    WebOptions(host="192.0.2.1", plain_http_beyond_loopback=True).check()
    WebOptions(host="duty.example", certificate_file="c.pem").check()
    with pytest.raises(ListenBeyondLoopbackError):
        WebOptions(host="duty.example").check()


async def test_a_port_in_use_is_told_clearly():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError) as caught:
            await WebHost(WebOptions(port=port), no_app, NoHub()).run(ReadyReporter())
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "in use" in str(caught.value)


async def test_a_missing_certificate_is_a_configuration_error(tmp_path):
    options = WebOptions(port=0, certificate_file=str(tmp_path / "none.pem"))
    with pytest.raises(CertificateError) as caught:
        await WebHost(options, no_app, NoHub()).run(ReadyReporter())
    assert caught.value.kind is Kind.CONFIG


async def test_a_second_gateway_does_not_take_the_socket_and_a_stale_one_is_replaced(served, short_path):
    second = LocalSocket(WebOptions(), no_app, NoHub(), served.socket_path)
    with pytest.raises(ListenError, match="another gateway"):
        await second.run(ReadyReporter())
    assert served.socket_path.exists()
    stale = short_path / "stale.sock"
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as left:
        left.bind(str(stale))
    async with running(LocalSocket(WebOptions(), no_app, NoHub(), stale)):
        assert stat.S_IMODE(stale.stat().st_mode) == 0o660
    assert not stale.exists()


async def test_stopping_does_not_wait_for_open_streams_or_idle_clients(short_path):
    async with contextlib.AsyncExitStack() as stack:
        async with console(short_path) as served:
            client = await stack.enter_async_context(
                httpx.AsyncClient(base_url=served.url, headers={"authorization": "Bearer wall:s3cret"})
            )
            await client.get("/healthz")
            stream = await stack.enter_async_context(client.stream("GET", "/api/v1/events"))
            await anext(stream.aiter_bytes())
            before = time.monotonic()
        assert time.monotonic() - before < 2.5
    assert not asyncio.all_tasks() - {asyncio.current_task()}


async def test_a_client_that_stalls_is_cut_off(short_path):
    options = WebOptions(port=0, stall_s=0.3, stop_s=1.0)
    async with console(short_path, options) as served:
        host, port = httpx.URL(served.url).host, httpx.URL(served.url).port
        for sent in (
            b"",
            b"GET /healthz HTTP/1.1\r\nHost: 127",
            b"POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50\r\n\r\n{",
        ):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(sent)
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()


async def test_who_goes_away_in_the_middle_or_sends_no_http_leaves_no_trace_in_the_log(served, caplog):
    url = httpx.URL(served.url)
    head = b"POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    broken_off = head.replace(b"127.0.0.1", b"evil") + b"Transfer-Encoding: chunked\r\n\r\nno chunk\r\n\r\n"
    for sent in (
        broken_off,
        head + b"Content-Length: 50\r\n\r\n{",
        b"\x16\x03\x01\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ):
        _, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(sent)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    async with httpx.AsyncClient(base_url=served.url) as client:
        assert (await client.get("/healthz")).status_code == 200
    told = [record for record in caplog.records if record.levelname != "DEBUG" and record.name != "httpx"]
    assert [record.getMessage() for record in told] == []


async def test_a_reader_that_takes_nothing_is_cut_off(short_path):
    options = WebOptions(port=0, stall_s=0.3, stop_s=1.0)
    async with console(short_path, options) as served:
        reader, writer = await asyncio.open_unix_connection(str(served.socket_path), limit=1)
        writer.write(b"GET /api/v1/events HTTP/1.1\r\nHost: local\r\n\r\n")
        await reader.readexactly(1)
        writer.transport.pause_reading()
        from tests.fakes.web import CallStarted

        async with asyncio.timeout(10):
            while served.hub.streams:
                served.journal.tell(CallStarted(caller="x" * 50_000))
                await asyncio.sleep(0)
        writer.transport.abort()


async def test_a_large_head_is_refused(served):
    host, port = httpx.URL(served.url).host, httpx.URL(served.url).port
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 40_000)
    answer = await asyncio.wait_for(reader.read(), 5)
    assert b"400" in answer.split(b"\r\n")[0]
    writer.close()


async def test_tls_makes_the_cookie_secure_and_the_browser_stay_with_it(short_path):
    certificate, key = short_path / "c.pem", short_path / "k.pem"
    made = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", key, "-out", certificate, "-subj", "/CN=127.0.0.1", "-days", "2"),
        *("-addext", "subjectAltName=IP:127.0.0.1"),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await made.wait() == 0
    options = WebOptions(port=0, certificate_file=str(certificate), key_file=str(key), stop_s=1.0)
    async with console(short_path, options) as served:
        assert served.url.startswith("https://")
        trust = ssl.create_default_context(cafile=str(certificate))
        async with httpx.AsyncClient(base_url=served.url, verify=trust) as client:
            answer = await client.post("/api/v1/session", json={"name": "shan", "password": "正确的口令 🚒"})
            cookie = answer.headers["set-cookie"]
            assert cookie.startswith("__Host-trunkline=")
            assert "secure" in cookie.lower()
            assert "max-age" in answer.headers["strict-transport-security"]
            assert (await client.get("/api/v1/session")).status_code == 200
