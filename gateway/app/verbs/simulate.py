"""Verbs that imitate field devices, so that everything can be tried without them."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click

from gateway.app.cli import main


@main.group()
def simulate() -> None:
    """Imitate a field device on a pseudo terminal until told to stop."""


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
