"""The history of the tables (Alembic). ``python -m gateway.store.migrations "what changes"`` writes a new revision."""
