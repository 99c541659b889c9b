"""What an error of a database driver means."""

import enum

from sqlalchemy import exc


class Failure(enum.Enum):
    """What an error of the driver means for the work at hand."""

    LOST = "lost"
    """The connection or the file is gone: connect again, then try again."""
    FULL = "full"
    """No room on the disk."""
    TIMEOUT = "timeout"
    """A statement took too long and was broken off."""
    FAULT = "fault"
    """The statement itself is at fault (a constraint, a type, a name)."""


def reason_of(error: exc.SQLAlchemyError) -> str:
    """Return the driver's own first line, without the statement and its parameters (they may hold personal data)."""
    original = getattr(error, "orig", None)
    text = str(error if original is None else original).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
