"""Verbs that stand in for devices of the field."""

import contextlib
import signal
import sys
from pathlib import Path

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
