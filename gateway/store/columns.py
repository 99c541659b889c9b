"""Column types that every feature's models use."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class UtcTime(sa.TypeDecorator[datetime]):
    """A point in time: aware and in UTC in Python, whole microseconds since 1970 in the database.

    The same in SQLite (which knows no time zones) and PostgreSQL, sorts and compares as a number, loses nothing.
    A naive time is a programming error.
    """

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:  # noqa: ARG002
        """Turn an aware time into microseconds."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time has no place in the store")
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Turn microseconds into an aware time."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)
