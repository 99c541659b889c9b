"""The link at a port that a test plays: late answers and answers that never come."""

import asyncio

import pytest

from gateway.core.clock import SystemClock
from sms.at import Command
from sms.errors import ModemLostError, ModemSilentError, SendRefusedError, SendUnknownError
from sms.link import ModemLink
from tests.support.wait import until

CMGS = Command("AT+CMGS=5", prefix="+CMGS", lines=1, payload=b"0011")


class PlayedPort:
    def __init__(self):
        self.written = bytearray()
        self._coming = asyncio.Queue()

    def write(self, data):
        self.written += data

    async def read(self):
        data = await self._coming.get()
        if data is None:
            raise ModemLostError(reason="pulled out")
        return data

    def say(self, data):
        self._coming.put_nowait(data)

    async def asked(self, text):
        await until(lambda: text in self.written, f"{text!r}")
        self.written.clear()

    def close(self):
        pass


@pytest.fixture
async def port():
    return PlayedPort()


@pytest.fixture
async def link(port):
    link = ModemLink(port, SystemClock(), timeout_s=0.1)
    link.start()
    yield link
    await link.close()


async def test_a_late_answer_is_not_taken_for_the_next_one(port, link):
    with pytest.raises(ModemSilentError):
        await link.ask("AT+CSQ")
    await port.asked(b"\x1b\r")
    asking = asyncio.ensure_future(link.ask(Command("AT+CREG?", prefix="+CREG")))
    await port.asked(b"AT\r")
    port.say(b"\r\n+CSQ: 5,99\r\n\r\nOK\r\n")  # the late one
    port.say(b"\r\nOK\r\n")  # of AT
    await port.asked(b"AT+CREG?\r")
    port.say(b"\r\n+CREG: 1,1\r\n\r\nOK\r\n")
    assert (await asking).lines == ("+CREG: 1,1",)


async def test_a_send_without_a_prompt_was_not_sent(port, link):
    sending = asyncio.ensure_future(link.send(CMGS, timeout_s=0.1))
    await port.asked(b"AT+CMGS=5\r")
    port.say(b"\r\nOK\r\n")
    with pytest.raises(SendRefusedError):
        await sending
    assert port.written == b"\x1b\r"


async def test_a_send_without_an_answer_is_unknown(port, link):
    sending = asyncio.ensure_future(link.send(CMGS, timeout_s=0.1))
    await port.asked(b"AT+CMGS=5\r")
    port.say(b"\r\n> ")
    await port.asked(b"0011\x1a")
    with pytest.raises(SendUnknownError):
        await sending


async def test_a_lost_port_before_and_after_the_payload(port, link):
    sending = asyncio.ensure_future(link.send(CMGS, timeout_s=5))
    await port.asked(b"AT+CMGS=5\r")
    port.say(b"\r\n> ")
    await port.asked(b"0011\x1a")
    port.say(None)
    with pytest.raises(SendUnknownError):
        await sending
    with pytest.raises(SendRefusedError):
        await link.send(CMGS, timeout_s=5)
    assert await link.news.get() is None
