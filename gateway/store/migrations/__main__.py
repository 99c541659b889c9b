"""Write a new revision from what the models say: ``python -m gateway.store.migrations "what changes"``.

Imports every module of the project (so that all models are known), migrates an empty SQLite database in memory to the
newest revision, and writes the difference to ``versions/``. Read and mend the file (``ruff format``) before it is
committed. With ``--check`` it writes nothing, and fails when there is a difference.
"""

import importlib
import pkgutil
import sys

import sqlalchemy as sa

from gateway.store import schema

PACKAGES = ("config", "fax", "gateway", "recording", "sms", "trunks")


def import_all_models() -> None:
    """Import every module of the project that can be imported without running it."""
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        for module in pkgutil.walk_packages(path, f"{package}."):
            if not module.name.endswith("__main__") and not module.name.startswith("gateway.store.migrations"):
                importlib.import_module(module.name)


def main() -> None:
    """Write the revision and tell its path, or only compare."""
    if len(sys.argv) != 2 or not sys.argv[1]:
        sys.exit("usage: python -m gateway.store.migrations MESSAGE | --check")
    import_all_models()
    with sa.create_engine("sqlite://").begin() as connection:
        schema.upgrade(connection)
        if sys.argv[1] == "--check":
            sys.exit("\n".join(str(difference) for difference in schema.differences(connection)) or None)
        sys.stdout.write(f"{schema.revise(connection, sys.argv[1])}\n")


if __name__ == "__main__":
    main()
