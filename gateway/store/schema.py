"""The tables: created and brought up to date by the migrations, and compared with them."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import autogenerate, command, config, migration, script, util

from gateway.store.errors import StoreSchemaError
from gateway.store.unit import Base

FOLDER = Path(__file__).with_name("migrations")


def upgrade(connection: sa.Connection, *, folder: Path = FOLDER) -> None:
    """Bring the tables to the newest revision, within the transaction of *connection*.

    Raises ``StoreSchemaError`` when the database was written by a newer version of the program.
    """
    settings = _settings(folder, connection)
    scripts = script.ScriptDirectory.from_config(settings)
    found = current(connection)
    if found is not None:
        try:
            scripts.get_revision(found)
        except util.CommandError as error:
            raise StoreSchemaError(reason=f"it was written by a newer version (revision {found})") from error
    if found != scripts.get_current_head():
        command.upgrade(settings, "head")


def check(connection: sa.Connection, *, folder: Path = FOLDER) -> None:
    """Raise ``StoreSchemaError`` unless the tables are at the newest revision. Changes nothing."""
    head = script.ScriptDirectory.from_config(_settings(folder, connection)).get_current_head()
    found = current(connection)
    if found != head:
        raise StoreSchemaError(reason=f"it is at revision {found}, the program needs {head}")


def current(connection: sa.Connection) -> str | None:
    """Return the revision of the database, None when it has none."""
    return migration.MigrationContext.configure(connection).get_current_revision()


def differences(connection: sa.Connection) -> list[Any]:
    """Return what the models have and the tables do not, or the other way round (Alembic's own tuples).

    Only models that were imported are known: import the features first.
    """
    context = migration.MigrationContext.configure(connection, opts={"compare_type": True})
    return list(autogenerate.compare_metadata(context, Base.metadata))


def revise(connection: sa.Connection, message: str, *, folder: Path = FOLDER) -> Path:
    """Write a new revision with the differences between models and tables; return its file, to be read and mended."""
    made = command.revision(_settings(folder, connection), message=message, autogenerate=True)
    if not isinstance(made, script.Script):
        raise StoreSchemaError(reason="no revision was made")
    return Path(made.path)


def _settings(folder: Path, connection: sa.Connection) -> config.Config:
    settings = config.Config()
    settings.set_main_option("script_location", str(folder).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    settings.attributes["connection"] = connection
    return settings
