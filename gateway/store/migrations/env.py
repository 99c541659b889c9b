"""Run by Alembic: migrates on the connection that :mod:`gateway.store.schema` hands over."""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context

from gateway.store.unit import Base


def _render_item(kind: str, item: Any, _api: object) -> str | Literal[False]:
    """A revision names plain types of the database: it must still run when a class of today has gone."""
    if kind == "type" and isinstance(item, sa.TypeDecorator):
        return f"sa.{item.impl!r}"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    render_as_batch=True,  # SQLite alters a table by writing it anew
    render_item=_render_item,
)
with context.begin_transaction():
    context.run_migrations()
