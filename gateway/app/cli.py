"""The command line: ``trunkline VERB``.

Verbs are thin: they read the configuration, call what does the work, and print. Errors go to standard error with their
id, and the exit code tells their kind. Verbs of features live in ``gateway/app/verbs/``.
"""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from gateway.core import logs
from gateway.core.errors import TrunklineError
from gateway.core.text import Language

F = TypeVar("F", bound=Callable[..., Any])

_INTERRUPTED = 130
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def language() -> Language:
    """Return the language of the terminal's locale."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def _remember_config(context: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
    if value is not None:
        # the innermost one is parsed last and wins
        context.find_root().ensure_object(dict)["config"] = value
    return value


def config_option(function: F) -> F:
    """Add ``--config``, which is accepted before and after the verb."""
    return click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        callback=_remember_config,
        expose_value=False,
        is_eager=True,
        help="Configuration file. Without it: the XDG configuration folder, else built-in defaults.",
    )(function)


class Verbs(click.Group):
    """A group whose verbs all take ``--config`` and whose errors end with their id and exit code."""

    group_class = type  # groups within it are of the same kind

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add *cmd* with the options that every verb has."""
        config_option(cmd)
        super().add_command(cmd, name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; an error of the project's own tree ends it readably."""
        logs.set_up(level="WARNING", log_format="text")
        try:
            return super().invoke(ctx)
        except TrunklineError as error:
            fail(error)
        except BrokenPipeError:
            # The reader went away, as `head` does. Python would complain again when it closes standard output.
            sys.stdout = None
            raise SystemExit(0) from None
        except KeyboardInterrupt:
            raise SystemExit(_INTERRUPTED) from None


def fail(error: TrunklineError) -> NoReturn:
    """Print *error* with its id and leave with the exit code of its kind."""
    code = getattr(error, "original_code", error.code)
    click.echo(f"trunkline: [{code}] {error.message(language())}", err=True)
    raise SystemExit(getattr(error, "exit_code", error.kind.exit_code))


@click.group(cls=Verbs, context_settings=_CONTEXT)
@click.version_option(package_name="trunkline", message="%(prog)s %(version)s")
@config_option
def main() -> None:
    """The telephony and radio gateway of an emergency duty room.

    Exit codes: 0 done; 1 defect; 2 usage; 3 invalid input; 4 not found; 5 conflict; 6 not permitted; 7 not signed in;
    8 unavailable; 9 expired; 10 failed; 11 outcome unknown; 12 configuration; 130 interrupted.
    """


def config_file(context: click.Context) -> Path | None:
    """Return the file named by ``--config``, else the default one if it exists."""
    from gateway.app.paths import default_config_file

    given: Path | None = context.find_root().ensure_object(dict).get("config")
    return given or default_config_file()


def _load_verbs() -> None:
    # They add themselves to `main`, so they can only be imported once it exists.
    for name in ("system", "bus", "access", "audit", "directory", "decode", "short_messages", "simulate"):
        importlib.import_module(f"gateway.app.verbs.{name}")


_load_verbs()
