"""Verbs about events and commands."""

import json
import re
from typing import Any

import click
import msgspec

from gateway.app.cli import main
from gateway.app.gate import CommandGate, command_gate, journal_gate
from gateway.app.show import event_line
from gateway.app.verbs.common import place
from gateway.core.errors import InvalidInputError, Kind
from gateway.core.ids import new_id

_STATES_TO_EXIT = {"succeeded": 0, "expired": Kind.EXPIRED.exit_code, "unknown": Kind.UNKNOWN_OUTCOME.exit_code}


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One CloudEvent a line, as it is on the bus.")
@click.option("--from-seq", type=click.IntRange(min=0), help="Begin with this sequence number instead of now.")
@click.option("--follow/--no-follow", default=True, help="Go on with what happens, or end with what has happened.")
@click.pass_context
def events(context: click.Context, *, as_json: bool, from_seq: int | None, follow: bool) -> None:
    """Print events, one a line; without a running gateway, what its journal holds."""
    for event in journal_gate(place(context), from_seq=from_seq, follow=follow):
        click.echo(json.dumps(event, ensure_ascii=False, separators=(",", ":")) if as_json else event_line(event))


@main.command()
@click.argument("name", metavar="DOMAIN.VERB")
@click.argument("fields", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--ttl", "ttl_s", type=click.FloatRange(min=0.1), help="Seconds in which it must take effect.")
@click.option("--id", "key", help="Idempotency key; the same key never does a thing twice.")
@click.option(
    "--wait", "wait_s", type=click.FloatRange(min=0, max=60), default=30.0, help="Seconds to wait for its end."
)
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
@click.pass_context
def send(  # noqa: PLR0917  # one argument for each option
    context: click.Context,
    name: str,
    fields: tuple[str, ...],
    ttl_s: float | None,
    key: str | None,
    wait_s: float,
    as_json: bool,  # noqa: FBT001  # click passes options by keyword
) -> None:
    """Send a command and print its final answer: trunkline send tel.dial number=110.

    A value that begins with [ or { is read as JSON.
    """
    body = parse_fields(name, fields)
    with command_gate(place(context)) as gate:
        answer = finish(gate, name, body, key=key or new_id(), ttl_s=ttl_s, wait_s=wait_s)
    click.echo(json.dumps(answer, ensure_ascii=False) if as_json else readable(answer))
    raise SystemExit(exit_code(answer))


def finish(
    gate: CommandGate, name: str, body: dict[str, Any], *, key: str, ttl_s: float | None = None, wait_s: float = 30.0
) -> dict[str, Any]:
    """Send a command and return its answer."""
    return gate.command(name, body, key=key, ttl_s=ttl_s, wait_s=wait_s)


def parse_fields(name: str, fields: tuple[str, ...]) -> dict[str, Any]:
    """Return ``key=value`` arguments as a body, each value converted to what the command's field asks for."""
    from gateway.app.contract import specs_by_name

    raw: dict[str, Any] = {}
    for field in fields:
        match = re.fullmatch(r"(?s)([A-Za-z_][A-Za-z0-9_]*)=(.*)", field)
        if match is None:
            raise InvalidInputError(field=field[:60], reason="a field is given as key=value")
        key, value = match[1], match[2]
        try:
            raw[key] = json.loads(value) if value[:1] in {"[", "{"} else value
        except ValueError as error:
            raise InvalidInputError(field=key, reason=f"it begins like JSON, but is none ({error})") from error
    spec = specs_by_name().get(name)
    if spec is None:
        return raw  # the dispatcher says that it knows no such command, and which are near
    try:
        body: dict[str, Any] = msgspec.to_builtins(msgspec.convert(raw, spec.body, strict=False))
    except msgspec.ValidationError:
        return raw  # the dispatcher refuses it, with the same words for everybody
    return {key: value for key, value in body.items() if key in raw}


def readable(answer: dict[str, Any]) -> str:
    """Return an answer for a person."""
    lines = [f"{answer['name']} {answer['state']}  id {answer['id']}"]
    error = answer.get("error")
    if error:
        lines.append(f"[{error['code']}] {error['title']} {error['detail']}")
    lines += [f"{key}: {value}" for key, value in (answer.get("result") or {}).items()]
    return "\n".join(lines)


def exit_code(answer: dict[str, Any]) -> int:
    """Return the exit code that tells how a command ended."""
    return _STATES_TO_EXIT.get(answer["state"], Kind.FAILED.exit_code)
