"""Verbs about events and commands."""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import click
import msgspec

from gateway.app.cli import language, main
from gateway.app.gate import command_gate, journal_gate
from gateway.app.show import event_line, fields_line, plain
from gateway.app.verbs.common import place
from gateway.core.errors import InvalidInputError, Kind, TrunklineError, error_classes
from gateway.core.ids import new_id

_STATES_TO_EXIT = {"expired": Kind.EXPIRED.exit_code, "unknown": Kind.UNKNOWN_OUTCOME.exit_code}
FINAL = frozenset({"succeeded", "failed", "expired", "rejected", "unknown"})


class _Send(click.Command):
    """A verb whose help ends with every command that can be sent."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list."""
        from gateway.app.contract import specs_by_name

        with formatter.section("Commands"):
            formatter.write_dl([(name, spec.summary.en) for name, spec in sorted(specs_by_name().items())])
        super().format_epilog(ctx, formatter)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One CloudEvent a line, as it is on the bus.")
@click.option("--from-seq", type=click.IntRange(min=0), help="Begin with this sequence number instead of now.")
@click.option("--follow/--no-follow", default=True, help="Go on with what happens, or end with what has happened.")
@click.pass_context
def events(context: click.Context, *, as_json: bool, from_seq: int | None, follow: bool) -> None:
    """Print events, one a line; without a running gateway, what its journal holds."""
    for event in journal_gate(place(context), from_seq=from_seq, follow=follow):
        click.echo(json.dumps(event, ensure_ascii=False, separators=(",", ":")) if as_json else event_line(event))


@main.command(cls=_Send)
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
    key = key or new_id()
    try:
        with command_gate(place(context)) as gate:
            answer = gate.command(name, parse_fields(name, fields), key=key, ttl_s=ttl_s, wait_s=wait_s)
    except TrunklineError as error:
        if as_json:
            told = error.as_dict(language()) | {"code": getattr(error, "original_code", error.code)}
            state = "unknown" if error.kind is Kind.UNKNOWN_OUTCOME else "rejected"
            ended = {"id": key, "name": name, "state": state, "result": None, "error": told}
            click.echo(json.dumps(ended, ensure_ascii=False))
        elif getattr(error, "original_code", error.code) == "command.schema":
            click.echo(_usage(name), err=True)
        raise
    conclude(answer, as_json=as_json)


def conclude(answer: dict[str, Any], *, as_json: bool = False) -> NoReturn:
    """Print an answer, an error on standard error, and leave with the exit code that tells how the command ended."""
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
        raise SystemExit(exit_code(answer))
    for line in readable(answer):
        click.echo(line)
    error = answer.get("error")
    if error:
        between = "" if language() == "zh" else " "
        click.echo(f"trunkline: [{error['code']}] {error['title']}{between}{error['detail']}", err=True)
    elif answer["state"] not in FINAL:
        click.echo(f"It has not ended yet. The same command with --id {answer['id']} tells its end.", err=True)
    raise SystemExit(exit_code(answer))


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


def _usage(name: str) -> str:
    """Return what a command takes: ``tel.dial number=… [position=…]``."""
    from gateway.app.contract import specs_by_name

    spec = specs_by_name().get(name)
    if spec is None:
        return f"Takes: {name}"
    fields = (
        f"{field.encode_name}=…" if field.required else f"[{field.encode_name}=…]"
        for field in msgspec.structs.fields(spec.body)
    )
    return f"Takes: {' '.join((name, *fields))}"


def readable(answer: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of an answer for a person, without its error."""
    yield f"{answer['name']} {answer['state']}  id {answer['id']}"
    for key, value in (answer.get("result") or {}).items():
        if isinstance(value, list) and any(isinstance(item, dict) for item in value):
            yield f"{key}:"
            yield from (f"  {fields_line(item)}" for item in value)
        else:
            yield f"{key}: {plain(value)}"


def exit_code(answer: dict[str, Any]) -> int:
    """Return the exit code that tells how a command ended: by its error's kind, where it has one that is known."""
    if answer["state"] == "succeeded":
        return 0
    if answer["state"] not in FINAL:
        return Kind.UNKNOWN_OUTCOME.exit_code
    code = (answer.get("error") or {}).get("code")
    kind = next((error.kind for error in error_classes() if error.code == code), Kind.FAILED)
    return _STATES_TO_EXIT.get(answer["state"], kind.exit_code)
