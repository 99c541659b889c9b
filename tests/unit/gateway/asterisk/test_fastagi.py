import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
import structlog

from gateway.asterisk.errors import AgiClosedError, AgiCommandError, AgiDeadlineError, AgiHangupError, UnsafeValueError
from gateway.asterisk.fastagi import FastAgiListenError, FastAgiServer
from gateway.asterisk.fastagi_session import AgiSession
from gateway.asterisk.options import FastAgiOptions
from gateway.core.clock import SystemClock
from tests.support.wait import until

REQUEST = (
    "agi_network: yes\nagi_network_script: /{script}\nagi_uniqueid: 17.1\n"
    "agi_calleridname: 单雄信\nagi_arg_1: line-1\n\n"
)


class Reporter:
    def __init__(self) -> None:
        self.is_ready = asyncio.Event()

    def ready(self) -> None:
        self.is_ready.set()

    def degraded(self, reason: str) -> None:
        raise AssertionError(reason)


class Asterisk:
    """The other side, written by hand: sends the request, then one answer for each line that it reads."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, text: str | bytes) -> None:
        self.writer.write(text.encode() if isinstance(text, str) else text)

    async def line(self) -> str:
        return (await asyncio.wait_for(self.reader.readline(), 5)).decode()

    async def ended(self) -> bool:
        return await asyncio.wait_for(self.reader.read(), 5) == b""


@contextlib.asynccontextmanager
async def serving(handler, **options) -> AsyncIterator[FastAgiServer]:
    values = {"port": 0, "command_timeout_s": 2.0}
    server = FastAgiServer(FastAgiOptions(**(values | options)), SystemClock(), {"incoming": handler})
    reporter = Reporter()
    task = asyncio.create_task(server.run(reporter))
    await asyncio.wait_for(reporter.is_ready.wait(), 5)
    try:
        yield server
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert server.sessions == 0


@contextlib.asynccontextmanager
async def calling(server: FastAgiServer, script: str | None = "incoming") -> AsyncIterator[Asterisk]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    asterisk = Asterisk(reader, writer)
    if script is not None:
        asterisk.send(REQUEST.format(script=script))
    try:
        yield asterisk
    finally:
        writer.transport.abort()


class Probe:
    """A handler that keeps what its commands raised."""

    def __init__(self, body) -> None:
        self.body = body
        self.error: BaseException | None = None
        self.result: object = None

    async def __call__(self, session: AgiSession) -> None:
        try:
            self.result = await self.body(session)
        except BaseException as error:
            self.error = error
            raise


async def test_a_session():
    names: list[object] = []

    async def handle(session: AgiSession) -> None:
        names.append(asyncio.current_task().get_name())
        names.append(structlog.contextvars.get_contextvars())
        names.append((session.request.caller_name, session.request.arguments))
        await session.set_variable("TL_CALL", '仇英 "x"')
        names.append(await session.get_variable("TL_NONE"))
        names.append(await session.get_variable("TL_SOME"))
        await session.answer()
        names.append(await session.stream_file("beep", escape_digits="#"))
        names.append(await session.exec("Wait", "1"))
        await session.verbose("hi")
        await session.hang_up()

    async with serving(handle) as server, calling(server) as asterisk:
        for line, answer in [
            ('SET VARIABLE "TL_CALL" "仇英 \\"x\\""\n', "200 result=1\n"),
            ('GET VARIABLE "TL_NONE"\n', "200 result=0\n"),
            ('GET VARIABLE "TL_SOME"\n', "200 result=1 (a (b))\n"),
            ("ANSWER\n", "200 result=0\n"),
            ('STREAM FILE "beep" "#"\n', "200 result=35 endpos=80\n"),
            ('EXEC "Wait" "1"\n', "200 result=0\n"),
            ('VERBOSE "hi" "3"\n', "200 result=1\n"),
            ("HANGUP\n", "200 result=1\nHANGUP\n"),
        ]:
            assert await asterisk.line() == line
            asterisk.send(answer)
        assert await asterisk.ended()
        assert names == ["fastagi:17.1", {"uniqueid": "17.1"}, ("单雄信", ("line-1",)), None, "a (b)", "#", "0"]
        await until(lambda: server.sessions == 0, "the end")
        assert (server.served, server.failed) == (1, 0)


async def test_several_variables_go_in_one_line():
    async def handle(session: AgiSession) -> None:
        await session.set_variables({"TL_CALL": "a,b", "CALLERID(name)": "仇英"})

    async with serving(handle) as server, calling(server) as asterisk:
        assert await asterisk.line() == 'EXEC "MSet" "TL_CALL=a\\\\,b,CALLERID(name)=仇英"\n'
        asterisk.send("200 result=0\n")
        assert await asterisk.ended()


async def test_the_request_byte_by_byte():
    got = asyncio.Event()

    async def handle(session: AgiSession) -> None:
        assert session.request.caller_name == "单雄信"
        got.set()

    async with serving(handle) as server, calling(server, None) as asterisk:
        for byte in REQUEST.format(script="incoming").encode():
            asterisk.send(bytes([byte]))
            await asterisk.writer.drain()
        await asyncio.wait_for(got.wait(), 5)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("HANGUP\n511 Command Not Permitted on a dead channel\n", AgiHangupError),
        ("511 Command Not Permitted on a dead channel\n", AgiHangupError),
        ("510 Invalid or unknown command\n", AgiCommandError),
        ("520-Invalid\nusage\n520 End\n", AgiCommandError),
        ("520 Invalid\n", AgiCommandError),
        ("503 result=-2 Memory allocation failure\n", AgiCommandError),
        ("200 result=-1\n", AgiCommandError),
    ],
)
async def test_refusals(answer, error):
    probe = Probe(lambda session: session.answer())
    async with serving(probe) as server, calling(server) as asterisk:
        assert await asterisk.line() == "ANSWER\n"
        asterisk.send(answer)
        assert await asterisk.ended()
    assert type(probe.error) is error


async def test_hangup_in_the_middle_lets_the_command_finish_and_no_other_begin():
    async def handle(session: AgiSession) -> None:
        await session.set_variable("TL_A", "1")
        assert session.hung_up
        await session.set_variable("TL_B", "2")

    probe = Probe(handle)
    async with serving(probe) as server, calling(server) as asterisk:
        await asterisk.line()
        asterisk.send("HANGUP\n200 result=1\n")
        assert await asterisk.ended()
    assert type(probe.error) is AgiHangupError


async def test_end_of_stream_in_a_command():
    probe = Probe(lambda session: session.command("NOOP", deadline_s=60))
    async with serving(probe) as server, calling(server) as asterisk:
        await asterisk.line()
        asterisk.writer.close()
        await until(lambda: probe.error, "the error")
        assert type(probe.error) is AgiClosedError
        assert server.failed == 0


async def test_a_reply_too_late_ends_the_session_before_it_is_mistaken():
    probe = Probe(lambda session: session.command("NOOP", deadline_s=0.05))
    async with serving(probe) as server, calling(server) as asterisk:
        await asterisk.line()
        with contextlib.suppress(ConnectionResetError):
            assert await asterisk.ended()
        assert type(probe.error) is AgiDeadlineError


async def test_a_surplus_reply_is_not_taken_for_the_next_one():
    async def handle(session: AgiSession) -> str | None:
        await session.verbose("x")
        return await session.get_variable("TL_X")

    probe = Probe(handle)
    async with serving(probe) as server, calling(server) as asterisk:
        await asterisk.line()
        asterisk.send("200 result=1\n200 result=1 (forged)\n")
        await asterisk.line()
        asterisk.send("200 result=1 (true)\n")
        assert await asterisk.ended()
    assert probe.result == "true"


async def test_nothing_unsafe_is_sent():
    probe = Probe(lambda session: session.set_variable("TL_X", "a\nHANGUP"))
    async with serving(probe) as server, calling(server) as asterisk:
        assert await asterisk.ended()
    assert type(probe.error) is UnsafeValueError


async def test_a_crash_of_the_handler_or_no_handler_closes_the_connection():
    async def crash(session: AgiSession) -> None:
        raise ZeroDivisionError

    async with serving(crash) as server:
        for script in ("incoming", "unknown"):
            async with calling(server, script) as asterisk:
                assert await asterisk.ended()
        assert server.failed == 2


async def test_port_scans_half_requests_and_other_protocols_are_closed():
    async def handle(session: AgiSession) -> None:
        raise AssertionError

    async with serving(handle, request_timeout_s=0.2) as server:
        for data in (b"", b"agi_network: yes\nagi_", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" * 50_000):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(data)
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
        for _ in range(50):
            socket.create_connection(("127.0.0.1", server.port)).close()
        await until(lambda: server.sessions == 0, "every connection closed")
        assert (server.served, server.failed) == (0, 0)


async def test_too_many_sessions_are_closed_at_once_and_the_others_go_on():
    probe = Probe(lambda session: session.command("NOOP"))
    async with serving(probe, sessions_limit=1) as server, calling(server) as first:
        await first.line()
        async with calling(server) as second:
            with contextlib.suppress(ConnectionResetError):
                assert await second.ended()
        assert server.refused == 1
        first.send("200 result=0\n")
        assert await first.ended()
    assert probe.error is None


async def test_a_session_too_long_is_ended():
    async def handle(session: AgiSession) -> None:
        await asyncio.Event().wait()

    async with serving(handle, session_timeout_s=0.1) as server, calling(server) as asterisk:
        assert await asterisk.ended()
        assert server.failed == 1


async def test_when_the_gateway_stops_no_call_is_left_waiting():
    started = asyncio.Event()

    async def handle(session: AgiSession) -> None:
        started.set()
        await asyncio.Event().wait()

    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(handle))
        asterisk = await stack.enter_async_context(calling(server))
        half = await stack.enter_async_context(calling(server, None))
        await asyncio.wait_for(started.wait(), 5)
        for task in list(server._sessions):
            task.cancel()
        assert await asterisk.ended()
        with contextlib.suppress(ConnectionResetError):
            assert await half.ended()


async def test_a_port_in_use_is_told():
    async def handle(session: AgiSession) -> None:
        raise AssertionError

    async with serving(handle) as server:
        other = FastAgiServer(FastAgiOptions(port=server.port), SystemClock(), {})
        with pytest.raises(FastAgiListenError):
            await other.run(Reporter())


async def test_small_packets_are_not_delayed():
    nodelay: list[int] = []

    async def handle(session: AgiSession) -> None:
        connected = session._connection.transport.get_extra_info("socket")
        nodelay.append(connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    async with serving(handle) as server, calling(server) as asterisk:
        assert await asterisk.ended()
    assert nodelay[0] != 0


async def test_a_request_without_a_unique_id_is_refused_so_that_no_two_calls_are_taken_for_one():
    asked = []

    async def handler(session: AgiSession) -> None:
        asked.append(session)

    async with serving(handler) as server:
        async with calling(server, None) as asterisk:
            asterisk.send("agi_network: yes\nagi_network_script: /incoming\nagi_uniqueid: \n\n")
            assert await asterisk.ended()
        await until(lambda: server.failed == 1, "the refusal")
    assert asked == []
