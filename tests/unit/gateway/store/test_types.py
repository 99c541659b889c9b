from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from gateway.store.types import UtcDateTime

_DIALECT = sa.create_engine("sqlite://").dialect


def test_any_zone_becomes_utc() -> None:
    beijing = datetime(2026, 1, 1, 8, tzinfo=timezone(timedelta(hours=8)))
    assert UtcDateTime().process_bind_param(beijing, _DIALECT) == datetime(2026, 1, 1, tzinfo=UTC)


def test_what_comes_without_a_zone_from_the_database_is_utc() -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001  # as SQLite gives it
    assert UtcDateTime().process_result_value(naive, _DIALECT) == datetime(2026, 1, 1, tzinfo=UTC)
    assert UtcDateTime().process_result_value(None, _DIALECT) is None


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        UtcDateTime().process_bind_param(datetime(2026, 1, 1), _DIALECT)  # noqa: DTZ001  # the case itself
