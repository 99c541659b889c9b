"""Verbs that read what came off a wire."""

import json
from typing import Any

import click

from gateway.app.cli import main


@main.group()
def decode() -> None:
    """Read what came off a wire, and print it as JSON."""


@decode.command()
@click.argument("line")
@click.option(
    "--dialect",
    type=click.Choice(["plain", "motorola", "sepura", "ril"]),
    default="plain",
    help="How the radio speaks.",
)
def pei(line: str, dialect: str) -> None:
    """Read a line of a TETRA radio; a received message may bring its data on a second line."""
    from trunks.radio import pei as reading
    from trunks.radio.pei_tables import Dialect

    codec = reading.PeiCodec(Dialect.named(dialect))
    for event in [*codec.feed(line.encode("utf-8", "surrogateescape")), *codec.flush()]:
        _print(reading.as_dict(event))


@decode.command()
@click.argument("digits", metavar="HEX")
def sds(digits: str) -> None:
    """Read the data of a TETRA short data message: text, report, status or position."""
    from trunks.radio import sds as reading

    _print(reading.as_dict(reading.decode(digits)))


@decode.command()
@click.argument("digits", metavar="HEX")
def lip(digits: str) -> None:
    """Read a short location report, with or without its protocol identifier 0A."""
    from trunks.radio import lip as reading

    _print(reading.decode(digits).as_dict())


def _print(shown: dict[str, Any]) -> None:
    click.echo(json.dumps(shown, ensure_ascii=False))
