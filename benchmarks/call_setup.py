"""How long a caller waits at 50 calls a second: INVITE to 200 OK, with the gateway and without it.

One Asterisk, one dialplan, one telephone that answers at once (sipp). "Without" is the same dialplan with the FastAGI
question taken out and its answer written in; the two take turns, so that the machine's moods fall on both.

    python benchmarks/call_setup.py [--rate 50] [--seconds 10] [--rounds 3]
"""

import argparse
import asyncio
import csv
import hashlib
import re
import socket
import statistics
import sys
import tempfile
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from gateway.app.stand.ports import free_ports
from gateway.app.stand.sipp import CallerSetup, callers, network
from gateway.app.stand.stand import CALLED_NUMBERS, NETWORK_ADDRESS, Stand

TALK_MS = 100
QUESTION = re.compile(r"^ same => n,AGI\(agi://.*$", re.MULTILINE)
ANSWER = "\n".join(
    f" same => n,Set({pair})" for pair in ("TL_TREATMENT=ring", "TL_PHONES=PJSIP/101", "AGISTATUS=SUCCESS")
)


def register(server: tuple[str, int], number: str, password: str, contact_port: int) -> None:
    """Register *number* with its contact at *contact_port* (RFC 3261 clause 22, digest MD5). Blocking."""
    uri, call_id = f"sip:{server[0]}:{server[1]}", uuid.uuid4().hex
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sip:
        sip.bind(("127.0.0.1", 0))
        sip.settimeout(5)
        port, authorisation = sip.getsockname()[1], ""
        for sequence in (1, 2):
            sip.sendto(
                (
                    f"REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{uuid.uuid4().hex}\r\n"
                    f"From: <sip:{number}@127.0.0.1>;tag={call_id[:8]}\r\nTo: <sip:{number}@127.0.0.1>\r\n"
                    f"Call-ID: {call_id}\r\nCSeq: {sequence} REGISTER\r\nMax-Forwards: 70\r\nExpires: 3600\r\n"
                    f"Contact: <sip:{number}@127.0.0.1:{contact_port}>\r\n{authorisation}Content-Length: 0\r\n\r\n"
                ).encode(),
                server,
            )
            answer = sip.recv(65535).decode()
            if answer.startswith("SIP/2.0 200"):
                return
            given = dict(re.findall(r'(\w+)="?([^",]+)"?', re.search(r"WWW-Authenticate: Digest (.*)", answer)[1]))
            md5 = lambda text: hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()  # noqa: E731
            first, second = md5(f"{number}:{given['realm']}:{password}"), md5(f"REGISTER:{uri}")
            proof = f"{first}:{given['nonce']}:00000001:benchmark:auth:{second}"
            authorisation = (
                f'Authorization: Digest username="{number}", realm="{given["realm"]}", nonce="{given["nonce"]}", '
                f'uri="{uri}", response="{md5(proof)}", algorithm=MD5, qop=auth, nc=00000001, cnonce="benchmark"\r\n'
            )
    raise SystemExit(f"{number} was not registered: {answer.splitlines()[0]}")


async def dialplan(stand: Stand, original: str, *, ask: bool) -> None:
    path = stand.asterisk.plan.folders.config / "extensions.conf"
    path.write_text(original if ask else QUESTION.sub(ANSWER, original))
    await stand.asterisk.command("dialplan reload")


async def run_calls(stand: Stand, folder: Path, sound: Path, rate: float, seconds: float) -> list[float]:
    """Return the set-up time of each call, milliseconds."""
    plan = stand.asterisk.plan
    setup = CallerSetup(
        server=f"{plan.sip_address}:{plan.sip_port}",
        called=CALLED_NUMBERS[0],
        folder=folder,
        port=free_ports(1, udp=True, host=NETWORK_ADDRESS)[0],
        sound=sound,
        calls=int(rate * seconds),
        at_once=int(rate * 4),
        rate_per_s=rate,
        talk_ms=TALK_MS,
        options=("-trace_rtt", "-rtt_freq", "1"),
    )
    child = callers(setup)
    scenario = folder / "caller.xml"
    text = scenario.read_text().replace('<send retrans="500">', '<send retrans="500" start_rtd="1">', 1)
    scenario.write_text(
        text.replace('<recv response="200" rrs="true"/>', '<recv response="200" rrs="true" rtd="1"/>', 1)
    )
    await child.start()
    try:
        await child.check(seconds * 3 + 60)
    finally:
        await child.stop()
    return await asyncio.to_thread(response_times, folder)


def response_times(folder: Path) -> list[float]:
    (times,) = folder.glob("*_rtt.csv")
    with times.open() as file:
        return [float(row["response_time_ms"]) for row in csv.DictReader(file, delimiter=";")]


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    results: dict[str, list[list[float]]] = {"without the gateway": [], "with the gateway": []}
    with tempfile.TemporaryDirectory(prefix="tl-") as name:
        folder = Path(name)
        sound = folder / "silence.alaw"
        sound.write_bytes(b"\xd5" * 8000)
        phone_port = free_ports(1, udp=True)[0]
        phone = network(folder / "phone", phone_port, sound, "127.0.0.1")
        answering = folder / "phone" / "network.xml"
        answering.write_text(answering.read_text().replace('<pause milliseconds="200"/>', ""))
        async with Stand(folder / "state", overrides={"TELEPHONE__PHONES": '[{number = "101"}]'}) as stand:
            await phone.start()
            try:
                plan = stand.asterisk.plan
                for one in plan.phones:
                    await asyncio.to_thread(
                        register, (plan.sip_address, plan.sip_port), one.number, one.password, phone_port
                    )
                original = (plan.folders.config / "extensions.conf").read_text()
                for turn in range(arguments.rounds):
                    for kind, ask in (("without the gateway", False), ("with the gateway", True)):
                        await dialplan(stand, original, ask=ask)
                        where = folder / f"{turn}-{ask}"
                        where.mkdir()
                        results[kind].append(await run_calls(stand, where, sound, arguments.rate, arguments.seconds))
            finally:
                await phone.stop()
    print(f"INVITE to 200 OK at {arguments.rate:g} calls/s, {arguments.rounds} rounds of {arguments.seconds:g} s each")
    print(f"{'':22} {'calls':>6} {'mean ms':>8} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8}")
    means = {}
    for kind, rounds in results.items():
        times = sorted(time for one in rounds for time in one)
        cuts = statistics.quantiles(times, n=100)
        means[kind] = statistics.fmean(times)
        print(f"{kind:22} {len(times):>6} {means[kind]:>8.2f} {cuts[49]:>8.1f} {cuts[94]:>8.1f} {cuts[98]:>8.1f}")
    ratio = means["with the gateway"] / means["without the gateway"]
    print(f"ratio of the means: {ratio:.2f} (sipp's clock ticks in 4 ms)")


if __name__ == "__main__":
    asyncio.run(main())
