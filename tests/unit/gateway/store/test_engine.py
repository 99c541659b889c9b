from pathlib import Path

import pytest

from gateway.core.options import Secret, SecretError
from gateway.store.engine import open_database
from gateway.store.errors import StoreUrlError
from gateway.store.options import StoreOptions
from gateway.store.sqlite import SqliteDatabase


@pytest.mark.parametrize(
    "url",
    ["nonsense", "mysql://h/d", "sqlite:///x.db", "postgresql://h/d", "postgresql+psycopg://user:secret@h/d"],
)
def test_other_urls_are_refused_without_showing_a_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUrlError) as raised:
        open_database(StoreOptions(url=url), tmp_path)
    assert "secret" not in str(raised.value.as_dict())


def test_a_password_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    options = StoreOptions(url="postgresql+psycopg://user@h/d", password=Secret(file=str(tmp_path / "none")))
    with pytest.raises(SecretError):
        open_database(options, tmp_path)


def test_without_a_url_it_is_a_private_file_in_the_state_folder(tmp_path: Path) -> None:
    database = open_database(StoreOptions(reserve_mb=1, min_free_mb=0), tmp_path / "state")
    assert isinstance(database, SqliteDatabase)
    with database.connect_writer() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
    database.dispose()
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir()}
    assert modes == {"trunkline.db": 0o600, "trunkline.reserve": 0o600}
    assert (tmp_path / "state" / "trunkline.reserve").stat().st_size == 1_000_000
