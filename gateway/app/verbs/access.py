"""Verbs about who may do what: applications of the bus, and operators of the console."""

from typing import Any, TextIO

import click

from gateway.app.cli import main
from gateway.app.gate import command_gate
from gateway.app.verbs.bus import conclude
from gateway.app.verbs.common import place
from gateway.core.ids import new_id


def _carry_out(context: click.Context, name: str, body: dict[str, Any], *, as_json: bool) -> None:
    with command_gate(place(context)) as gate:
        answer = gate.command(name, body, key=new_id(), ttl_s=None, wait_s=30.0)
    conclude(answer, as_json=as_json)


_PASSWORD = click.option(
    "--password-file",
    type=click.File(encoding="utf-8"),
    help="File whose first line is the password, - for standard input; without it you are asked.",
)


def _password(file: TextIO | None) -> str:
    """Return a password that never stood on a command line, where every user of the machine could read it."""
    if file is None:
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return file.readline().rstrip("\r\n")


_JSON = click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")


@main.group()
def apps() -> None:
    """Applications on the bus: their credentials and rights."""


@apps.command("add")
@click.argument("name")
@click.option(
    "--right",
    "rights",
    multiple=True,
    required=True,
    metavar="VERB[@RESOURCE]",
    help="What it may do, as shell patterns: tel.dial, 'tel.*@line-1', sys.replay. May be given several times.",
)
@click.option("--title", default="", help="A name for people.")
@_JSON
@click.pass_context
def add(context: click.Context, name: str, rights: tuple[str, ...], title: str, *, as_json: bool) -> None:
    """Give an application a credential; its secret is shown once."""
    given = [
        {"verb": verb, "resource": resource or "*"} for verb, _, resource in (one.partition("@") for one in rights)
    ]
    _carry_out(context, "sys.app_add", {"name": name, "rights": given, "display_name": title}, as_json=as_json)


@apps.command("rotate")
@click.argument("name")
@_JSON
@click.pass_context
def rotate(context: click.Context, name: str, *, as_json: bool) -> None:
    """Give an application a new secret, shown once; the old one ends."""
    _carry_out(context, "sys.app_rotate", {"name": name}, as_json=as_json)


@apps.command("revoke")
@click.argument("name")
@_JSON
@click.pass_context
def revoke(context: click.Context, name: str, *, as_json: bool) -> None:
    """Take an application's credential away."""
    _carry_out(context, "sys.app_revoke", {"name": name}, as_json=as_json)


@apps.command("list")
@_JSON
@click.pass_context
def list_(context: click.Context, *, as_json: bool) -> None:
    """List the applications and their rights."""
    _carry_out(context, "sys.app_list", {}, as_json=as_json)


@main.group()
def operators() -> None:
    """Operators of the console."""


@operators.command("add")
@click.argument("name")
@click.option("--role", "roles", multiple=True, default=("operator",), show_default=True, help="What they may do.")
@click.option("--title", default="", help="The operator's name for people: 单雄信.")
@_PASSWORD
@_JSON
@click.pass_context
def add_operator(  # one argument for each option
    context: click.Context,
    name: str,
    roles: tuple[str, ...],
    title: str,
    password_file: TextIO | None,
    *,
    as_json: bool,
) -> None:
    """Let an operator sign in to the console."""
    body = {"name": name, "roles": list(roles), "display_name": title, "password": _password(password_file)}
    _carry_out(context, "sys.operator_add", body, as_json=as_json)


@operators.command("password")
@click.argument("name")
@_PASSWORD
@_JSON
@click.pass_context
def operator_password(context: click.Context, name: str, password_file: TextIO | None, *, as_json: bool) -> None:
    """Set an operator's password."""
    _carry_out(context, "sys.operator_password", {"name": name, "password": _password(password_file)}, as_json=as_json)


@operators.command("list")
@_JSON
@click.pass_context
def list_operators(context: click.Context, *, as_json: bool) -> None:
    """List the operators and their roles."""
    _carry_out(context, "sys.operator_list", {}, as_json=as_json)
