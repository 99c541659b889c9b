"""Verbs about the audit trail."""

import json
from typing import Any

import click

from gateway.app.cli import main
from gateway.app.gate import command_gate
from gateway.app.verbs.bus import exit_code, readable
from gateway.app.verbs.common import place
from gateway.core.errors import Kind
from gateway.core.ids import new_id

_JSON = click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")


@main.group()
def audit() -> None:
    """Who did what: the audit trail."""


def _ask(context: click.Context, name: str, body: dict[str, Any]) -> dict[str, Any]:
    with command_gate(place(context)) as gate:
        return gate.command(name, body, key=new_id(), ttl_s=None, wait_s=60.0)


@audit.command("list")
@click.option("--principal", help="Only what this principal did: operator:zeng.")
@click.option("--action", help="Only this action; may hold *.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Most rows.")
@_JSON
@click.pass_context
def list_(context: click.Context, principal: str | None, action: str | None, limit: int, *, as_json: bool) -> None:
    """List what was done, the newest first."""
    wanted = {"principal": principal, "action": action, "limit": limit}
    answer = _ask(context, "sys.audit_read", {key: value for key, value in wanted.items() if value is not None})
    if as_json or answer["state"] != "succeeded":
        click.echo(json.dumps(answer, ensure_ascii=False) if as_json else readable(answer), err=not as_json)
    else:
        for row in answer["result"]["rows"]:
            click.echo(
                f"{row['seq']:>6} {row['at']} {row['principal']} {row['action']} {row['resource']} {row['outcome']}"
            )
    raise SystemExit(exit_code(answer))


@audit.command("verify")
@click.option("--known-seq", type=click.IntRange(min=1), help="Number of a head known from elsewhere.")
@click.option("--known-hash", help="Hash of that head.")
@_JSON
@click.pass_context
def verify(context: click.Context, known_seq: int | None, known_hash: str | None, *, as_json: bool) -> None:
    """Prove that nothing was changed, removed or re-ordered; ends with 10 when something was."""
    known = {"known_seq": known_seq, "known_hash": known_hash}
    answer = _ask(context, "sys.audit_verify", {key: value for key, value in known.items() if value is not None})
    click.echo(json.dumps(answer, ensure_ascii=False) if as_json else readable(answer))
    broken = answer["state"] == "succeeded" and not answer["result"]["whole"]
    raise SystemExit(Kind.FAILED.exit_code if broken else exit_code(answer))
