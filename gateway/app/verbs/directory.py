"""Verbs about contacts."""

import json
import sys
from pathlib import Path

import click

from gateway.app.cli import main
from gateway.app.gate import command_gate
from gateway.app.verbs.bus import conclude
from gateway.app.verbs.common import place
from gateway.core.errors import InvalidInputError, Kind
from gateway.core.ids import new_id


@main.group()
def contacts() -> None:
    """Units, people, posts and their numbers."""


@contacts.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only tell what would change.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
@click.pass_context
def import_(context: click.Context, file: Path, *, dry_run: bool, as_json: bool) -> None:
    """Import contacts from a workbook or CSV (UTF-8 or GB18030): all of it or, when any row is wrong, nothing."""
    with command_gate(place(context)) as gate:
        report = gate.import_contacts(file.read_bytes(), dry_run=dry_run)
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False))
    else:
        for error in report["errors"]:
            click.echo(f"line {error['line']}: {error.get('column', '')} {error['reason']}", err=True)
        verb = "imported" if report["applied"] else "not imported"
        if dry_run:
            verb = "dry run, nothing is changed"
        counts = ", ".join(f"{report[name]} {name}" for name in ("created", "changed", "unchanged"))
        click.echo(f"{verb}: {report['rows']} rows, {report['contacts']} contacts, {counts}")
    raise SystemExit(Kind.INVALID.exit_code if report["errors"] else 0)


@contacts.command("export")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.pass_context
def export(context: click.Context, file: Path) -> None:
    """Export all contacts to a file, as a workbook when it is named .xlsx, else as CSV; - is standard output."""
    with command_gate(place(context)) as gate:
        content = gate.export_contacts(workbook=file.suffix.lower() == ".xlsx")
    if str(file) == "-":
        sys.stdout.buffer.write(content)
    else:
        try:
            file.write_bytes(content)
        except OSError as error:
            raise InvalidInputError(field=str(file), reason=error.strerror or str(error)) from error


@contacts.command("search")
@click.argument("text")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="Most answers.")
@click.option("--json", "as_json", is_flag=True, help="The answers as a JSON array.")
@click.pass_context
def search(context: click.Context, text: str, *, limit: int, as_json: bool) -> None:
    """Search contacts by unit, name, post or number, best first."""
    with command_gate(place(context)) as gate:
        answer = gate.command("dir.search", {"text": text, "limit": limit}, key=new_id(), ttl_s=None, wait_s=10.0)
    if answer["state"] != "succeeded":
        conclude(answer)
    found = answer["result"]["contacts"]
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    if not found:
        click.echo("nothing found", err=True)
    for contact in found:
        numbers = "  ".join(f"{one['number']} ({one['kind']})" for one in contact["numbers"])
        click.echo(f"{contact['unit']}  {contact['name']}  {contact['post']}  {numbers}")
