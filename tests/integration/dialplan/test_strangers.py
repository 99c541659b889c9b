"""Whoever is neither the trunk nor a phone with its password gets nowhere, whatever a message calls its sender."""

import asyncio
import re
import secrets

import pytest

from gateway.app.stand.ports import free_ports
from tests.support.asterisk import NETWORK, NUMBERS
from tests.support.wait import until

pytestmark = pytest.mark.integration

STRANGER = "127.0.0.3"


class _Peer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answers: asyncio.Queue[str] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.answers.put_nowait(data.decode("utf-8", "replace"))


async def _ask(stand, method: str, *, user: str, called: str, address: str = STRANGER) -> int:
    """Send one request without credentials and return the status of its first answer that is not provisional."""
    port = free_ports(1, udp=True, host=address)[0]
    server = (stand.plan.sip_address, stand.plan.sip_port)
    transport, peer = await asyncio.get_running_loop().create_datagram_endpoint(
        _Peer, local_addr=(address, port), remote_addr=server
    )
    token = secrets.token_hex(6)
    body = (
        f"v=0\r\no=a 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
        "m=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
    )
    message = (
        f"{method} sip:{called}@{server[0]}:{server[1]} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {address}:{port};branch=z9hG4bK{token};rport\r\n"
        f"From: <sip:{user}@{server[0]}>;tag={token}\r\nTo: <sip:{called}@{server[0]}>\r\n"
        f"Call-ID: {token}@{address}\r\nCSeq: 1 {method}\r\nContact: <sip:{user}@{address}:{port}>\r\n"
        f"Max-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    try:
        transport.sendto(message.encode())
        async with asyncio.timeout(10):
            while True:
                status = re.match(r"SIP/2\.0 (\d{3})", await peer.answers.get())
                if status is not None and not status[1].startswith("1"):
                    return int(status[1])
                if status is not None and status[1] != "100":
                    return int(status[1])
    finally:
        transport.close()


def _channels(stand) -> list[str]:
    return [row["channame"] for row in stand.cel() if row["eventtype"] == "CHAN_START"]


@pytest.mark.parametrize("user", ["trunk", "101", "102", "nobody", "trunkline"])
@pytest.mark.parametrize("called", [NUMBERS[0], "013800001111"])
async def test_a_stranger_starts_no_call(stand, user, called):
    assert await _ask(stand, "INVITE", user=user, called=called) == 401
    assert _channels(stand) == []


@pytest.mark.parametrize("user", ["trunk", "101"])
async def test_a_stranger_registers_as_nobody(stand, user):
    assert await _ask(stand, "REGISTER", user=user, called=user) == 401


@pytest.mark.parametrize("user", ["trunk", "101"])
async def test_the_trunk_registers_as_nobody(stand, user):
    assert await _ask(stand, "REGISTER", user=user, called=user, address=NETWORK) in {403, 404}


async def test_the_trunk_reaches_lines_only_whatever_it_calls_itself_and_dials(stand):
    assert await _ask(stand, "INVITE", user="101", called="013800001111", address=NETWORK) == 180
    await until(lambda: _channels(stand), "the call in CEL")
    assert {row["context"] for row in stand.cel()} <= {"tl-incoming", "tl-arrival", "tl-fallback"}
    assert all(not channel.startswith("PJSIP/101") for channel in _channels(stand)[:1])


class _Diverting(_Peer):
    """A far end of the trunk that answers every call by sending it on to a number of its own choice."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        text = data.decode("utf-8", "replace")
        if not text.startswith("INVITE "):
            return
        self.answers.put_nowait(text.split(" ", 2)[1])
        kept = [line for line in text.split("\r\n") if re.match(r"(Via|From|Call-ID|CSeq):", line)]
        to = next(line for line in text.split("\r\n") if line.startswith("To:"))
        answer = ["SIP/2.0 302 Moved Temporarily", *kept, f"{to};tag=x", f"Contact: <sip:008812345@{NETWORK}>"]
        self._transport.sendto(("\r\n".join([*answer, "Content-Length: 0"]) + "\r\n\r\n").encode(), addr)


async def test_who_is_called_cannot_send_the_call_on_at_our_cost(stand):
    transport, far_end = await asyncio.get_running_loop().create_datagram_endpoint(
        _Diverting, local_addr=(NETWORK, stand.plan.trunk.port)
    )
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", stand.plan.ami_port)
        login = f"Action: Login\r\nUsername: {stand.plan.ami_user}\r\nSecret: {stand.plan.ami_secret}\r\nEvents: off"
        call = "Action: Originate\r\nChannel: Local/110@tl-dial\r\nContext: tl-ring\r\nExten: s\r\nPriority: 1"
        for action in (login, call, "Action: Logoff"):
            writer.write(action.encode() + b"\r\n\r\n")
        async with asyncio.timeout(20):
            await reader.read(-1)
        writer.close()
        await until(stand.ended, "the end of the call in CEL")
    finally:
        transport.close()
    dialled = [far_end.answers.get_nowait() for _ in range(far_end.answers.qsize())]
    assert {re.sub(r"@.*", "", uri) for uri in dialled} == {"sip:110"}
