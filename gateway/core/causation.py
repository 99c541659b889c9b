"""What an event follows from: the command that is being carried out, told without passing it through every call.

The dispatcher lets a :class:`Cause` stand while a handler runs; whatever is emitted within, also on the store's thread,
carries it unless it names a cause of its own. What outlives the handler keeps the cause itself (a call that was dialled
does) and gives it to each of its events.
"""

import contextvars
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from gateway.core.events import Happening

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Cause:
    """The id of a command, and the trace that its sender named (W3C Trace Context, ``traceparent``)."""

    command_id: str
    traceparent: str | None = None


_STANDING: contextvars.ContextVar[Cause | None] = contextvars.ContextVar("cause", default=None)


@contextmanager
def caused_by(cause: Cause) -> Iterator[None]:
    """Let *cause* stand within the context, and in the tasks and units that are begun in it."""
    token = _STANDING.set(cause)
    try:
        yield
    finally:
        _STANDING.reset(token)


def standing_cause() -> Cause | None:
    """Return what stands here."""
    return _STANDING.get()


def attributed(happening: Happening) -> Happening:
    """Return *happening* with the cause that stands here, unless it has one."""
    cause = _STANDING.get()
    if cause is None or happening.causation is not None:
        return happening
    return replace(happening, causation=cause.command_id, traceparent=happening.traceparent or cause.traceparent)


def traceparent_of(text: str) -> str | None:
    """Return *text* when it is a ``traceparent``; anything else is left out, as the recommendation asks (3.2.2)."""
    return text if _TRACEPARENT.fullmatch(text) is not None else None
