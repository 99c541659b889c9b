"""The migrations make the tables that the models describe."""

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.store import schema
from gateway.store.engine import open_database
from gateway.store.errors import StoreSchemaError
from gateway.store.options import StoreOptions
from gateway.store.unit import Base

pytestmark = pytest.mark.integration


def _copy_without_revisions(folder: Path) -> Path:
    for name in ("env.py", "script.py.mako"):
        (folder / name).write_text((schema.FOLDER / name).read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "versions").mkdir()
    return folder


def test_a_revision_made_from_the_models_leaves_no_difference(options: StoreOptions, tmp_path: Path) -> None:
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    _copy_without_revisions(migrations)
    with sa.create_engine("sqlite://").begin() as connection:
        schema.revise(connection, "initial", folder=migrations)
    database = open_database(options, tmp_path)
    with database.connect_writer() as connection:
        with connection.begin():
            assert schema.differences(connection)
            with pytest.raises(StoreSchemaError):
                schema.check(connection, folder=migrations)
            schema.upgrade(connection, folder=migrations)
        with connection.begin():
            schema.upgrade(connection, folder=migrations)
            schema.check(connection, folder=migrations)
            assert schema.differences(connection) == []
            connection.execute(sa.text("ALTER TABLE journal DROP COLUMN epoch"))
            assert schema.differences(connection)
    database.dispose()


def test_a_database_of_a_newer_version_is_refused(options: StoreOptions, tmp_path: Path) -> None:
    database = open_database(options, tmp_path)
    with database.connect_writer() as connection, connection.begin():
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(sa.text("INSERT INTO alembic_version VALUES ('from_the_future')"))
        with pytest.raises(StoreSchemaError, match="newer"):
            schema.upgrade(connection)
    database.dispose()


def test_models_and_migrations_agree() -> None:
    # In a process of its own, so that tables of the tests are not taken for the project's.
    done = subprocess.run(
        [sys.executable, "-m", "gateway.store.migrations", "--check"],
        cwd=schema.FOLDER.parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_metadata_names_every_constraint() -> None:
    for table in Base.metadata.tables.values():
        assert all(index.name for index in table.indexes), table
