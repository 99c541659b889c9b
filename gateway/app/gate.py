"""The command line's two ways in: through the daemon's local socket, or, when none runs, to the store itself."""

import asyncio
import contextlib
import json
import os
import pwd
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

import msgspec

from gateway.app.cli import language
from gateway.app.client import DaemonNotRunningError, LocalClient
from gateway.app.house import House, open_house
from gateway.app.verbs.common import Place
from gateway.core.errors import DeadlineError
from gateway.directory.service import ImportReport
from gateway.principals.model import Principal
from gateway.store.unit import StoredEvent
from gateway.web.command_routes import in_language

T = TypeVar("T")

_PAGE = 500
_OPEN_S = 60.0


class CommandGate(Protocol):
    """Carries out commands for the person at the terminal."""

    def command(
        self, name: str, data: dict[str, Any], *, key: str, ttl_s: float | None, wait_s: float
    ) -> dict[str, Any]:
        """Send a command and return its answer, final if it ended within *wait_s*."""
        ...


class HouseGate:
    """The same commands without a daemon: in a house of which nothing is started, under the store's exclusive lock."""

    def __init__(self, runner: asyncio.Runner, house: House) -> None:
        self._runner = runner
        self._house = house

    def command(
        self, name: str, data: dict[str, Any], *, key: str, ttl_s: float | None, wait_s: float
    ) -> dict[str, Any]:
        """See :class:`CommandGate`."""
        return self._runner.run(self._command(name, data, key, ttl_s, wait_s))

    def run(self, work: Callable[[House], Awaitable[T]]) -> T:
        """Run *work* in the house."""

        async def call() -> T:
            return await work(self._house)

        return self._runner.run(call())

    def import_contacts(self, data: bytes, *, dry_run: bool) -> dict[str, Any]:
        """See :class:`ContactsGate`."""

        async def work(house: House) -> ImportReport:
            principal = await _myself(house)
            principal.require("dir.import")
            return await house.directory.import_file(data, principal=principal, dry_run=dry_run)

        report: dict[str, Any] = msgspec.to_builtins(self.run(work))
        return report

    def export_contacts(self, *, workbook: bool) -> bytes:
        """See :class:`ContactsGate`."""

        async def work(house: House) -> bytes:
            principal = await _myself(house)
            principal.require("dir.export")
            return await house.directory.export_file(principal=principal, workbook=workbook)

        return self.run(work)

    async def _command(
        self, name: str, data: dict[str, Any], key: str, ttl_s: float | None, wait_s: float
    ) -> dict[str, Any]:
        principal = await _myself(self._house)
        answer = await self._house.dispatcher.submit(
            principal, name, msgspec.json.encode(data), command_id=key, ttl_s=ttl_s, incident=None
        )
        if not answer.final:
            answer = await self._house.dispatcher.answer(principal, key, wait_s=wait_s)
        result = None if answer.result is None else json.loads(answer.result)
        return {
            "id": answer.command_id,
            "name": answer.name,
            "state": str(answer.state),
            "result": result,
            "error": None if answer.error is None else in_language(answer.error, language()),
        }


class ContactsGate(Protocol):
    """Moves whole files of contacts."""

    def import_contacts(self, data: bytes, *, dry_run: bool) -> dict[str, Any]:
        """Import a CSV file or a workbook; return the report."""
        ...

    def export_contacts(self, *, workbook: bool) -> bytes:
        """Return all contacts as CSV, or as a workbook."""
        ...


@contextlib.contextmanager
def house_gate(here: Place) -> Iterator[HouseGate]:
    """Open the house for the command line."""
    with asyncio.Runner() as runner:
        opened = open_house(here.settings, here.paths, running=False)
        house = runner.run(_within(opened.__aenter__()))
        try:
            yield HouseGate(runner, house)
        finally:
            runner.run(_within(opened.__aexit__(None, None, None)))


@contextlib.contextmanager
def command_gate(here: Place) -> Iterator[LocalClient | HouseGate]:
    """Give the daemon's gate when one runs, else the house's own; each is a `CommandGate` and a `ContactsGate`."""
    with LocalClient(here.paths.socket, language()) as client:
        try:
            client.status()
        except DaemonNotRunningError:
            pass
        else:
            yield client
            return
    with house_gate(here) as gate:
        yield gate


def journal_gate(here: Place, *, from_seq: int | None, follow: bool) -> Iterator[dict[str, Any]]:
    """Yield events: live ones from the daemon, or what the journal holds when none runs."""
    with LocalClient(here.paths.socket, language()) as client:
        try:
            if follow:
                yield from client.events(from_seq)
            else:
                yield from client.journal(from_seq or 1)
        except DaemonNotRunningError:
            if from_seq is None and follow:
                raise
        else:
            return
    with house_gate(here) as gate:
        after = max((from_seq or 1) - 1, 0)
        while True:
            rows = gate.run(partial(_events_after, after))
            for row in rows:
                yield json.loads(row.payload)
            if len(rows) < _PAGE:
                return
            after = rows[-1].seq


async def _myself(house: House) -> Principal:
    """Return the person at the terminal."""
    uid = os.getuid()
    return await house.principals.local(uid, pwd.getpwuid(uid).pw_name)


async def _events_after(seq: int, house: House) -> Sequence[StoredEvent]:
    return await house.store.events_after(seq, limit=_PAGE)


async def _within(work: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(_OPEN_S):
            return await work
    except TimeoutError as error:
        raise DeadlineError(what="the store", timeout_s=_OPEN_S) from error
