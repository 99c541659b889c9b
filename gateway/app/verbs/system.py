"""Verbs about the gateway itself."""

import asyncio
import json

import click

from gateway.app.cli import config_file, language, main
from gateway.app.show import status_lines
from gateway.app.verbs.common import daemon, place


@main.command()
@click.pass_context
def run(context: click.Context) -> None:
    """Run the gateway until it is told to stop (SIGTERM, SIGINT)."""
    from gateway.app.daemon import run_daemon

    here = place(context)
    raise SystemExit(asyncio.run(run_daemon(here.settings, here.paths)))


@main.command("check-config")
@click.pass_context
def check_config(context: click.Context) -> None:
    """Check the configuration and tell every problem in it."""
    here = place(context)
    from gateway.app.consistency import check

    check(here.settings)
    click.echo(f"ok: the configuration can be used; state lies in {here.paths.root}")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="The status document as JSON.")
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> None:
    """Show how every part of the running gateway is."""
    with daemon(context) as client:
        document = client.status()
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        for line in status_lines(document):
            click.echo(line)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
@click.pass_context
def doctor(context: click.Context, *, as_json: bool) -> None:
    """Try out every part that the gateway depends on, and say what to do about what is wrong.

    Ends with 0 when nothing is wrong or there are warnings only, with 8 otherwise.
    """
    from gateway.app.doctor import examine

    here = place(context)
    findings = asyncio.run(examine(here.settings, here.paths))
    if as_json:
        click.echo(json.dumps([finding.as_dict(language()) for finding in findings], ensure_ascii=False))
    else:
        for finding in findings:
            click.echo(finding.line(language()))
    raise SystemExit(8 if any(finding.level == "failure" for finding in findings) else 0)


@main.command()
def asyncapi() -> None:
    """Print the AsyncAPI 3.0 document of the bus."""
    from gateway.app.contract import asyncapi_text

    click.echo(asyncapi_text(), nl=False)


@main.command()
@click.argument("what", type=click.Choice(["broker", "asterisk"]))
@click.pass_context
def prepare(context: click.Context, what: str) -> None:
    """Write the configuration and credentials of the private broker or of Asterisk into the state folder."""
    from gateway.app import prepare as preparing

    here = place(context)
    here.paths.create()
    if what == "broker":
        folder = asyncio.run(preparing.prepare_broker(here.settings, here.paths))
    else:
        folder = preparing.prepare_asterisk(here.settings, here.paths)
    click.echo(str(folder))


@main.command()
@click.option("--once", is_flag=True, help="Stop after the demonstration call instead of going on until Ctrl-C.")
@click.pass_context
def demo(context: click.Context, *, once: bool) -> None:
    """Run everything on this machine: broker, Asterisk, gateway, and a demonstration call (what `make run` does)."""
    from gateway.app.stand.demo import run_demo

    here = place(context)
    raise SystemExit(asyncio.run(run_demo(config_file(context), here.paths.root, once=once)))
