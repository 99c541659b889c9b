"""Verbs that stand in for devices of the field, so that everything can be tried without them."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click

from gateway.app.cli import main


@main.group()
def simulate() -> None:
    """Stand in for a device, on a pseudo terminal, until Ctrl-C."""


@simulate.command()
@click.option("--pty", "path", type=click.Path(path_type=Path), required=True, help="Where the device is to appear.")
@click.option("--log", "log", type=click.Path(path_type=Path), help="What truly arrived and was sent, as JSON lines.")
@click.option("--identity", default="09011638300023401", show_default=True, help="The radio's own number.")
@click.option("--profile", type=click.Choice(["plain", "motorola", "sepura", "ril"]), default="plain")
@click.option("--control", is_flag=True, help="Read actions from standard input, one JSON object a line.")
def tetra(path: Path, log: Path | None, identity: str, profile: str, *, control: bool) -> None:
    """A TETRA radio with its network."""
    from trunks.radio.simulated_make import PROFILES
    from trunks.radio.simulator_pty import PtySimulator

    with contextlib.ExitStack() as stack:
        file = sys.stdout if log is None else stack.enter_context(log.open("a", encoding="utf-8"))
        radio = PtySimulator(path, identity, PROFILES[profile], file, sys.stdin.fileno() if control else None)
        signal.signal(signal.SIGTERM, lambda *_: radio.stop())
        signal.signal(signal.SIGINT, lambda *_: radio.stop())
        radio.run()


def until_told(work: Coroutine[Any, Any, None]) -> None:
    """Run *work* until SIGTERM or SIGINT."""

    async def run() -> None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())


@simulate.command("modem")
@click.option("--pty", "path", required=True, type=click.Path(path_type=Path), help="Where the port appears (a link).")
@click.option("--log", "log_file", type=click.Path(dir_okay=False, path_type=Path), help="JSON lines; else printed.")
@click.option("--profile", default="plain", show_default=True, help="plain, sim7600, ec25, huawei, siemens, wavecom.")
@click.option("--number", default="+8613800000001", show_default=True, help="The number of its SIM.")
@click.option("--imei", default="860000000000001", show_default=True)
@click.option("--imsi", default="460000000000001", show_default=True)
@click.option("--pin", default="", help="The SIM's PIN. Without it the SIM is not locked.")
@click.option("--capacity", type=click.IntRange(0, 255), default=40, show_default=True, help="Messages in the storage.")
@click.option("--delay", "delay_s", type=click.FloatRange(0, 600), default=0.0, help="Seconds to send a segment.")
@click.option("--report-delay", "report_delay_s", type=click.FloatRange(0, 86_400), default=0.0, help="Seconds.")
def modem(  # noqa: PLR0917  # one argument for each option
    path: Path,
    log_file: Path | None,
    profile: str,
    number: str,
    imei: str,
    imsi: str,
    pin: str,
    capacity: int,
    delay_s: float,
    report_delay_s: float,
) -> None:
    """Imitate an SMS modem of 3GPP TS 27.005, with its network.

    Standard input takes JSON lines: {"do": "receive", "sender": "+861…", "text": "…"}, {"do": "call", "sender": "…"},
    and "hang", "unplug", "plug", "lose_network", "register". The log says what arrived, decoded.
    """
    from sms.simulation import simulate as run
    from sms.simulator_models import Sim

    sim = Sim(number=number, imsi=imsi, pin=pin, capacity=capacity)
    until_told(
        run(
            path,
            log_file=log_file,
            profile=profile,
            sim=sim,
            imei=imei,
            delay_s=delay_s,
            report_delay_s=report_delay_s,
        )
    )
