"""Run by Alembic: migrates on the connection that :mod:`gateway.store.schema` hands over."""

from alembic import context

from gateway.store.unit import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    render_as_batch=True,  # SQLite alters a table by writing it anew
)
with context.begin_transaction():
    context.run_migrations()
