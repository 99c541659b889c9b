"""Callers and operators' phones played by sipp, and what sipp itself says of each call."""

import asyncio
import csv
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from gateway.app.stand.ports import free_ports
from gateway.app.stand.processes import Child, find_program
from gateway.app.stand.stand import NETWORK_ADDRESS

SCENARIOS = Path(__file__).parent / "scenarios"
PHONE_ADDRESS = "127.0.0.3"


@dataclass(frozen=True)
class Kind:
    """One kind of caller; ``pause_ms`` is how long he talks, or how long he waits before he gives up."""

    name: str
    scenario: str
    prefix: str
    share: float
    pause_ms: tuple[int, int]


ANSWERED = Kind("answered", "answered", "139", 0.6, (1000, 2500))
GIVEN_UP = Kind("given-up", "given_up", "138", 0.25, (1000, 2000))
EARLY = Kind("early", "given_up", "137", 0.15, (1, 60))
LONG = Kind("long", "answered", "136", 0.0, (75_000, 76_000))
KINDS = (ANSWERED, GIVEN_UP, EARLY)


@dataclass
class Told:
    """What sipp saw of one call: when its first INVITE was sent, and every answer's status with its request."""

    caller: str
    kind: str
    invited_at: float = 0.0
    answers: list[str] = field(default_factory=list)


class Callers:
    """One sipp that makes *calls* calls of one *kind*, *at_once* at a time; the callers' numbers begin at *first*."""

    def __init__(
        self, kind: Kind, *, calls: int, at_once: int, first: int, server: str, called: tuple[str, ...],
        sound: Path, folder: Path, per_s: float = 100.0,
    ) -> None:  # fmt: skip
        self.kind = kind
        self.folder = folder / kind.name
        self.folder.mkdir(parents=True)
        self.first = first
        low, high = kind.pause_ms
        text = (SCENARIOS / f"{kind.scenario}.xml").read_text(encoding="utf-8")
        text = text.replace("@SOUND@", str(sound)).replace("@PAUSE_MIN@", str(low)).replace("@PAUSE_MAX@", str(high))
        scenario = self.folder / "scenario.xml"
        scenario.write_text(text, encoding="utf-8")
        rows = (f"{self._number(row)};{called[row % len(called)]}" for row in range(calls))
        fields = self.folder / "fields.csv"
        fields.write_text("\n".join(("SEQUENTIAL", *rows, "")), encoding="utf-8")
        (port,) = free_ports(1, udp=True, host=NETWORK_ADDRESS)
        self.calls = calls
        (sound_port,) = free_ports(1, udp=True, host=NETWORK_ADDRESS)
        self.child = Child(
            f"sipp {kind.name}",
            [
                *(find_program("sipp"), "-sf", scenario, "-inf", fields, "-i", NETWORK_ADDRESS, "-p", str(port)),
                *("-mi", NETWORK_ADDRESS, "-mp", str(sound_port)),
                *("-m", str(calls), "-l", str(at_once), "-r", f"{per_s:g}", "-cid_str", "%u-%p@caller"),
                *("-nostdin", "-skip_rlimit", "-recv_timeout", "15000", "-fd", "1", "-trace_err"),
                *("-trace_stat", "-stf", self.folder / "stat.csv"),
                *("-trace_shortmsg", "-shortmessage_file", self.folder / "messages.csv"),
                server,
            ],
            log=self.folder / "sipp.log",
            cwd=self.folder,
        )

    def _number(self, row: int) -> str:
        return f"{self.kind.prefix}{self.first + row:08d}"

    def statistics(self) -> dict[str, int]:
        """sipp's own counts so far: created, successful, failed."""
        with (self.folder / "stat.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        names = {"created": "TotalCallCreated", "successful": "SuccessfulCall(C)", "failed": "FailedCall(C)"}
        return {name: int(rows[-1][column]) for name, column in names.items()}

    def told(self) -> list[Told]:
        """What happened to each call that was begun, read from sipp's list of messages."""
        calls: dict[int, Told] = {}
        for line in (self.folder / "messages.csv").read_text(encoding="utf-8").splitlines():
            when, direction, call_id, cseq, first = _split(line)
            row = int(call_id.partition("-")[0]) - 1
            call = calls.setdefault(row, Told(self._number(row), self.kind.name))
            if direction == "S" and cseq.endswith("INVITE") and not call.invited_at:
                call.invited_at = when
            elif direction == "R" and first.startswith("SIP/2.0"):
                call.answers.append(f"{first.split()[1]} {cseq.split()[-1]}")
        return list(calls.values())


def _split(line: str) -> tuple[float, str, str, str, str]:
    """Seconds since 1970, S or R, Call-ID, CSeq, first line."""
    _, _, when, direction, call_id, cseq, first = line.split("\t")
    return float(when), direction, call_id, cseq.removeprefix("CSeq:"), first


class Phones:
    """Operators' phones: one sipp that answers the callers of kind ``answered``, registered at Asterisk by hand."""

    def __init__(self, folder: Path, sound: Path) -> None:
        folder.mkdir(parents=True)
        text = (SCENARIOS / "phone.xml").read_text(encoding="utf-8")
        scenario = folder / "phone.xml"
        scenario.write_text(text.replace("@SOUND@", str(sound)).replace("@ANSWERED@", "13[69]"), encoding="utf-8")
        self.port, sound_port = free_ports(2, udp=True, host=PHONE_ADDRESS)
        self.child = Child(
            "sipp phones",
            [
                *(find_program("sipp"), "-sf", scenario, "-i", PHONE_ADDRESS, "-p", str(self.port)),
                *("-mi", PHONE_ADDRESS, "-mp", str(sound_port)),
                *("-nostdin", "-skip_rlimit", "-trace_err", "-trace_stat", "-fd", "1"),
            ],
            log=folder / "sipp.log",
            cwd=folder,
        )

    async def register(self, server: str, number: str, password: str) -> None:
        """Register one phone's contact for an hour (RFC 3261 section 10, digest as in RFC 2617)."""
        host, _, port = server.rpartition(":")
        loop = asyncio.get_running_loop()
        answers: asyncio.Queue[str] = asyncio.Queue()

        class Receiver(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: object) -> None:
                answers.put_nowait(data.decode())

        transport, _ = await loop.create_datagram_endpoint(
            Receiver, local_addr=(PHONE_ADDRESS, 0), remote_addr=(host, int(port))
        )
        try:
            call_id, authorization = secrets.token_hex(8), ""
            for sequence in (1, 2):
                transport.sendto(self._request(server, number, call_id, sequence, authorization).encode())
                async with asyncio.timeout(5.0):
                    answer = await answers.get()
                if answer.startswith("SIP/2.0 200"):
                    return
                authorization = _authorization(answer, server, number, password)
        finally:
            transport.close()
        raise RuntimeError(f"phone {number} was not registered: {answer.splitlines()[0]}")

    def _request(self, server: str, number: str, call_id: str, sequence: int, authorization: str) -> str:
        lines = (
            f"REGISTER sip:{server} SIP/2.0",
            f"Via: SIP/2.0/UDP {PHONE_ADDRESS}:{self.port};rport;branch=z9hG4bK{secrets.token_hex(8)}",
            f"From: <sip:{number}@{server}>;tag={call_id}",
            f"To: <sip:{number}@{server}>",
            f"Call-ID: {call_id}",
            f"CSeq: {sequence} REGISTER",
            f"Contact: <sip:{number}@{PHONE_ADDRESS}:{self.port}>;expires=3600",
            "Max-Forwards: 70",
            *((authorization,) if authorization else ()),
            "Content-Length: 0",
        )
        return "\r\n".join((*lines, "", ""))


def _authorization(challenge: str, server: str, number: str, password: str) -> str:
    given = dict(re.findall(r'(\w+)="?([^",\r\n]+)"?', challenge.partition("WWW-Authenticate:")[2].splitlines()[0]))
    uri, count, client = f"sip:{server}", "00000001", secrets.token_hex(8)

    def digest(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    first, second = digest(f"{number}:{given['realm']}:{password}"), digest(f"REGISTER:{uri}")
    middle = f"{given['nonce']}:{count}:{client}:{given['qop']}" if "qop" in given else given["nonce"]
    response = digest(f"{first}:{middle}:{second}")
    parts = [f'username="{number}"', f'realm="{given["realm"]}"', f'nonce="{given["nonce"]}"', f'uri="{uri}"']
    parts += [f'response="{response}"', "algorithm=MD5"]
    parts += [f'opaque="{given["opaque"]}"'] if "opaque" in given else []
    parts += [f"qop={given['qop']}", f"nc={count}", f'cnonce="{client}"'] if "qop" in given else []
    return f"Authorization: Digest {', '.join(parts)}"
