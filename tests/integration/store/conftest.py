from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.core.options import Secret
from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore
from gateway.store.unit import Base
from tests.support import ledger  # noqa: F401  # its table has to be known before any is created
from tests.support.postgres import PostgresCluster

Opened = Callable[..., AbstractAsyncContextManager[SqlStore]]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresCluster]:
    cluster = PostgresCluster()
    try:
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture
def postgres_options(postgres: PostgresCluster, tmp_path: Path) -> StoreOptions:
    secret = tmp_path / "password"
    secret.write_text(postgres.password + "\n")
    return StoreOptions(url=postgres.new_database(), password=Secret(file=str(secret)))


@pytest.fixture(params=["sqlite", "postgres"])
def options(request: pytest.FixtureRequest) -> StoreOptions:
    if request.param == "sqlite":
        return StoreOptions()
    chosen: StoreOptions = request.getfixturevalue("postgres_options")
    return chosen


@pytest.fixture
def opened(options: StoreOptions, tmp_path: Path) -> Opened:
    """Open a store on the database of this test; a second one, after the first is closed, finds what that one left."""

    @asynccontextmanager
    async def open_store(
        *, folder: Path = tmp_path / "state", site: str = "duty", **how: Any
    ) -> AsyncIterator[SqlStore]:
        chosen = {name: how.pop(name) for name in list(how) if name in StoreOptions.__struct_fields__}
        store = SqlStore(
            msgspec.structs.replace(options, **chosen),
            folder=folder,
            site=site,
            prepare=Base.metadata.create_all,
            **how,
        )
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    return open_store
