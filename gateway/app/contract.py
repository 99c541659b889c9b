"""The contract of the gateway: every event, command and state there is, without any service behind it."""

from collections.abc import Iterable
from functools import cache
from importlib import metadata
from typing import Any

from gateway.alarms import commands as alarm_commands
from gateway.alarms import events as alarm_events
from gateway.alarms.board import AlarmBoard
from gateway.archive import commands as archive_commands
from gateway.archive import events as archive_events
from gateway.bus import replay
from gateway.bus.asyncapi import Contract, asyncapi_json
from gateway.commands import administration, auditing
from gateway.commands import events as command_events
from gateway.commands.answers import AnswerMessage
from gateway.commands.envelope import CommandEnvelope
from gateway.commands.spec import CommandSpec
from gateway.core.events import Event
from gateway.directory import commands as directory_commands
from gateway.directory import events as directory_events
from gateway.incidents import commands as incident_commands
from gateway.incidents import events as incident_events
from gateway.release import commands as release_commands
from gateway.release import events as release_events
from gateway.release.service import ReleaseBoard
from trunks.telephone import commands as telephone_commands
from trunks.telephone import events as telephone_events

_EVENT_MODULES = (
    alarm_events,
    archive_events,
    command_events,
    directory_events,
    incident_events,
    release_events,
    telephone_events,
)
_COMMAND_MODULES = (
    administration,
    auditing,
    alarm_commands,
    archive_commands,
    replay,
    directory_commands,
    incident_commands,
    release_commands,
    telephone_commands,
)


def version() -> str:
    """Return the version of the program."""
    return metadata.version("trunkline")


@cache
def contract() -> Contract:
    """Return all that is said on the bus."""
    events: list[type[Event]] = [event for module in _EVENT_MODULES for event in module.EVENTS]
    return Contract(
        events=tuple(events),
        commands=tuple(_specs()),
        request=CommandEnvelope,
        answer=AnswerMessage,
        states={"ops": (AlarmBoard, ReleaseBoard), "tel": (telephone_events.LineShown,)},
    )


def specs_by_name() -> dict[str, CommandSpec[Any, Any]]:
    """Return every command by its name."""
    return {spec.name: spec for spec in contract().commands}


def asyncapi_text() -> str:
    """Return the AsyncAPI 3.0 document."""
    return asyncapi_json(contract(), version=version()).decode()


def _specs() -> Iterable[CommandSpec[Any, Any]]:
    for module in _COMMAND_MODULES:
        yield from (value for value in vars(module).values() if isinstance(value, CommandSpec))
