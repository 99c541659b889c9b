"""A gateway of a few lines for tests of the dialplan alone: every FastAGI request gets the same variables."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Mapping

from gateway.app.stand.processes import Child, accepts


@contextlib.asynccontextmanager
async def answering(port: int, variables: Mapping[str, str]) -> AsyncIterator[list[dict[str, str]]]:
    """Answer on *port*; yields the requests as they come."""
    requests: list[dict[str, str]] = []
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        request = {}
        while (line := (await reader.readline()).decode().strip()) != "":
            key, _, value = line.partition(": ")
            request[key] = value
        requests.append(request)
        for name, value in variables.items():
            writer.write(f'SET VARIABLE {name} "{value}"\n'.encode())
            await reader.readline()
        writer.close()
        tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield requests
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def deaf(port: int) -> AsyncIterator[None]:
    """Accept on *port* and never read or answer."""
    held: list[asyncio.StreamWriter] = []

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for writer in held:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def stopped(port: int, log: object) -> AsyncIterator[None]:
    """Let another process listen on *port* and hang (SIGSTOP): the kernel alone takes the connections."""
    program = f"import socket,signal;s=socket.create_server(('127.0.0.1',{port}));signal.pause()"
    child = Child("hung gateway", [sys.executable, "-c", program], log=log)
    await child.start(lambda: accepts("127.0.0.1", port))
    child.pause()
    try:
        yield
    finally:
        child.kill()
        assert await child.stop() == -signal.SIGKILL
