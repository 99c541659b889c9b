"""What several verbs need: the settings, the state folder, and a way to the daemon or, without one, to the store."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from config.settings import Settings, load
from gateway.app.cli import config_file, language
from gateway.app.client import LocalClient
from gateway.app.options import GatewayOptions
from gateway.app.paths import StatePaths, default_state_folder
from gateway.app.sections import SECTIONS


@dataclass(frozen=True, slots=True)
class Place:
    """Which gateway the command line is about."""

    settings: Settings
    paths: StatePaths


def place(context: click.Context) -> Place:
    """Read the configuration named by ``--config``; raise when it has problems."""
    settings = load(SECTIONS, file=config_file(context), environment=os.environ)
    given = settings.of(GatewayOptions).state_dir
    return Place(settings, StatePaths(Path(given) if given else default_state_folder()))


@contextlib.contextmanager
def daemon(context: click.Context) -> Iterator[LocalClient]:
    """Give the client of the running daemon."""
    with LocalClient(place(context).paths.socket, language()) as client:
        yield client
