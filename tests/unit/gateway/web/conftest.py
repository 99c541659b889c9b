import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from tests.fakes.web import Console, console


@pytest.fixture
def short_path():
    """A folder whose name is short enough for a unix socket."""
    with TemporaryDirectory(prefix="tl") as folder:
        yield Path(folder)


@pytest.fixture
async def served(short_path) -> AsyncIterator[Console]:
    async with console(short_path) as running:
        yield running


@pytest.fixture
async def client(served):
    async with httpx.AsyncClient(base_url=served.url) as client:
        yield client


@pytest.fixture
async def signed_in(client):
    """A client with a session; its CSRF header is set."""
    answer = await client.post("/api/v1/session", json={"name": "shan", "password": "正确的口令 🚒"})
    assert answer.status_code == 200, answer.text
    client.headers["X-CSRF-Token"] = answer.json()["csrf"]
    return client


@pytest.fixture
async def local(served):
    transport = httpx.AsyncHTTPTransport(uds=str(served.socket_path))
    async with contextlib.aclosing(httpx.AsyncClient(base_url="http://local", transport=transport)) as client:
        yield client
