"""Importing into the store, all or nothing, and finding what was imported."""

from collections.abc import AsyncIterator
from types import SimpleNamespace

import msgspec
import pytest

from gateway.core.clock import ManualClock
from gateway.directory.commands import Lookup, Search, commands
from gateway.directory.contacts_file import ContactsFileError
from gateway.directory.numbers import Numbering
from gateway.directory.options import NumberingOptions
from gateway.directory.service import DirectoryService
from gateway.principals.audit import AuditTrail
from gateway.principals.model import SYSTEM
from tests.support.memory_store import MemoryStore

FILE = "unit,name,post,phone\n消防支队,单雄信,支队长,13800138000\n消防支队,仇英,,13900139000\n".encode()
CHANGED = "unit,name,post,phone,notes\n消防支队,单雄信,支队长,13800138001,换号\n水务局,曾国藩,,82345678,\n".encode()


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    memory = MemoryStore(ManualClock()).create()
    yield memory
    memory.close()


@pytest.fixture
def service(store: MemoryStore) -> DirectoryService:
    return DirectoryService(store, Numbering(NumberingOptions()), ManualClock(), AuditTrail(store))


async def test_import_tells_what_it_did_and_what_it_would_do(store: MemoryStore, service: DirectoryService) -> None:
    report = await service.import_file(FILE, principal=SYSTEM, dry_run=True)
    assert (report.created, report.applied, store.events) == (2, False, [])
    assert service.lookup("13800138000") == []
    report = await service.import_file(FILE, principal=SYSTEM)
    assert (report.rows, report.contacts, report.created, report.changed, report.applied) == (2, 2, 2, 0, True)
    (owner,) = service.lookup("+86 138 0013 8000")
    report = await service.import_file(CHANGED, principal=SYSTEM)
    assert (report.created, report.changed, report.unchanged) == (1, 1, 0)
    (same,) = service.lookup("13800138001")
    assert same.id == owner.id
    assert service.lookup("13800138000") == []
    assert [ref.name for ref in service.lookup("13900139000")] == ["仇英"]
    report = await service.import_file(CHANGED, principal=SYSTEM)
    assert (report.created, report.changed, report.unchanged) == (0, 0, 2)
    told = [msgspec.json.decode(event.payload) for event in store.events]
    assert [event["created"] for event in told] == [2, 1, 0]


async def test_one_wrong_row_stops_all(store: MemoryStore, service: DirectoryService) -> None:
    report = await service.import_file(FILE + "消防支队,错,,电话\n".encode(), principal=SYSTEM)
    assert [(error.line, error.column) for error in report.errors] == [(4, "phone")]
    assert not report.applied
    assert service.lookup("13800138000") == []
    assert store.events == []
    with pytest.raises(ContactsFileError):
        await service.import_file(b"\xff\xff", principal=SYSTEM)


async def test_what_was_imported_is_there_after_a_restart_and_in_the_export(
    store: MemoryStore, service: DirectoryService
) -> None:
    await service.import_file(FILE, principal=SYSTEM)
    again = DirectoryService(store, Numbering(NumberingOptions()), ManualClock(), AuditTrail(store))
    await again.load()
    assert [ref.name for ref in again.lookup("13800138000")] == ["单雄信"]
    report = await again.import_file(await again.export_file(principal=SYSTEM), principal=SYSTEM)
    assert (report.created, report.changed, report.unchanged) == (0, 0, 2)


async def test_commands(service: DirectoryService) -> None:
    await service.import_file(FILE, principal=SYSTEM)
    bound = {command.spec.name: command for command in commands(service)}
    context = SimpleNamespace(principal=SYSTEM)
    found = await bound["dir.search"].handler(Search(text="单雄"), context)
    assert msgspec.to_builtins(found)["contacts"][0]["numbers"] == [{"number": "13800138000", "kind": "mobile"}]
    assert found.contacts[0].match.reason == "prefix"
    owners = await bound["dir.lookup"].handler(Lookup(number="13900139000"), context)
    assert [ref.name for ref in owners.contacts] == ["仇英"]
