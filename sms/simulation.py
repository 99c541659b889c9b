"""The program ``trunkline simulate modem``: one simulated modem, its log, and a person or script at its controls."""

import asyncio
import json
import os
import stat
import sys
from pathlib import Path
from typing import IO, Any, Literal

import msgspec

from gateway.core.clock import SystemClock
from gateway.core.errors import InvalidInputError, TrunklineError
from sms.simulator_models import QUIRKS, Sim
from sms.simulator_network import SimulatedNetwork
from sms.simulator_port import SimulatedPort

_LINE_LIMIT = 65_536


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of standard input: what happens to the modem now."""

    do: Literal["receive", "call", "hang", "unplug", "plug", "register", "lose_network"]
    sender: str = ""
    text: str = ""
    reference: int = 0


async def simulate(
    path: Path, *, log_file: Path | None, profile: str, sim: Sim, imei: str, delay_s: float, report_delay_s: float
) -> None:
    """Run until cancelled. Controls are JSON lines on standard input; the log goes to *log_file* or standard output."""
    if profile not in QUIRKS:
        raise InvalidInputError(field="profile", reason=f"one of {', '.join(QUIRKS)}")
    output = sys.stdout if log_file is None else log_file.open("a", encoding="utf-8")
    clock = SystemClock()
    network = SimulatedNetwork(clock, lambda line: _write(output, line))
    network.plan.delay_s, network.plan.report_delay_s = delay_s, report_delay_s
    port = SimulatedPort(path, network, clock, sim=sim, imei=imei, quirks=QUIRKS[profile])
    port.plug()
    network.note("plugged", port=str(path), profile=profile, modem=sim.number)
    try:
        await _controls(port, network)
    finally:
        port.unplug()
        await network.close()
        if output is not sys.stdout:
            output.close()


def control(port: SimulatedPort, network: SimulatedNetwork, line: bytes) -> None:
    """Do what one line of standard input says; raise :class:`InvalidInputError` when it says nothing."""
    try:
        wish = msgspec.json.decode(line, type=Control)
    except msgspec.DecodeError as error:
        raise InvalidInputError(field="control", reason=str(error)) from error
    if wish.do == "receive":
        network.send(wish.text, sender=wish.sender, to=port.sim.number, reference=wish.reference)
    elif wish.do == "plug":
        if port.modem is None:
            port.plug()
    elif wish.do == "unplug":
        port.unplug()
    elif wish.do in ("register", "lose_network"):
        network.plan.registered = wish.do == "register"
    elif port.modem is None:
        raise InvalidInputError(field="control", reason="the modem is unplugged")
    elif wish.do == "call":
        port.modem.call(wish.sender)
    else:
        port.modem.hang()


async def _controls(port: SimulatedPort, network: SimulatedNetwork) -> None:
    mode = os.fstat(0).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(0)):
        await asyncio.Event().wait()  # a file or /dev/null: nobody is at the controls
    reader = asyncio.StreamReader(limit=_LINE_LIMIT)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(0), "rb"))
    while line := await reader.readline():
        try:
            control(port, network, line)
        except TrunklineError as error:
            network.note("control_refused", reason=error.message())
    await asyncio.Event().wait()


def _write(output: IO[str], line: dict[str, Any]) -> None:
    output.write(json.dumps(line, ensure_ascii=False) + "\n")
    output.flush()
