"""What is told of commands."""

from typing import ClassVar

from gateway.core.events import Event


class CommandUnknown(Event, frozen=True, kw_only=True):
    """It cannot be told whether a command took effect: somebody has to look."""

    TYPE: ClassVar[str] = "sys.command_unknown.v1"
    SUMMARY: ClassVar[str] = "It cannot be told whether a command took effect."

    command: str
    command_id: str
    principal: str
    about: str


EVENTS = (CommandUnknown,)
