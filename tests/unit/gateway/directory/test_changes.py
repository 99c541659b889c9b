"""Contacts and units as they are changed: found at once, told, audited, and with a history."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from gateway.core.clock import ManualClock
from gateway.core.errors import ConflictError, InvalidInputError, NotFoundError
from gateway.directory.callers import Seen
from gateway.directory.commands import ContactPut, NumberPut, UnitPut, commands
from gateway.directory.contact import Contact, OrgUnit
from gateway.directory.numbers import Numbering
from gateway.directory.options import NumberingOptions
from gateway.directory.service import DirectoryService
from gateway.principals.audit import AuditTrail
from gateway.principals.model import SYSTEM, NotPermittedError, Principal, PrincipalKind, Right
from tests.support.memory_store import MemoryStore

OPERATOR = Principal(PrincipalKind.OPERATOR, "li-na", (Right("dir.search"), Right("dir.*_read"), Right("dir.lookup")))
OTHER = Principal(PrincipalKind.OPERATOR, "wang", (Right("dir.search"),))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(clock: ManualClock) -> AsyncIterator[MemoryStore]:
    memory = MemoryStore(clock).create()
    yield memory
    memory.close()


def service_on(store: MemoryStore, clock: ManualClock, folder: Path | None = None, **more: object) -> DirectoryService:
    return DirectoryService(store, Numbering(NumberingOptions()), clock, AuditTrail(store), folder=folder, **more)


async def put(service: DirectoryService, principal: Principal = SYSTEM, **fields: object) -> Contact:
    bound = {command.spec.name: command for command in commands(service)}
    return await bound["dir.contact_put"].handler(ContactPut(**fields), SimpleNamespace(principal=principal))


async def names(service: DirectoryService, text: str, principal: Principal | None = SYSTEM) -> list[str]:
    return [found.contact.name for found in await service.search(text, principal=principal)]


async def test_a_contact_is_found_at_once_changed_and_removed(store: MemoryStore, clock: ManualClock) -> None:
    service = service_on(store, clock)
    numbers = (
        NumberPut(number="(010) 8234 5678", priority=5),
        NumberPut(number="13800138000", kind="值班", priority=1),
    )
    made = await put(service, unit="消防支队", name="单雄信", numbers=numbers)
    assert [(n.number, n.kind) for n in made.numbers] == [("13800138000", "duty"), ("01082345678", "office")]
    assert await names(service, "sxx") == ["单雄信"]
    again = await put(service, id=made.id, unit="消防支队", name="单雄信", post="支队长", numbers=(numbers[0],))
    assert again.id == made.id
    assert service.lookup("13800138000") == []
    assert [ref.post for ref in service.lookup("82345678")] == ["支队长"]
    with pytest.raises(ConflictError):
        await put(service, unit="消防支队", name="单雄信", post="支队长")
    await service.remove(made.id, principal=SYSTEM)
    assert await names(service, "sxx") == []
    told = [(event.name, msgspec.json.decode(event.payload)) for event in store.events]
    assert [(name, body["change"]) for name, body in told] == [
        ("contact_changed", "created"),
        ("contact_changed", "changed"),
        ("contact_changed", "removed"),
    ]
    assert told[1][1]["fields"] == ["numbers", "post"]
    assert "单雄信" not in str(told)
    history = await service.history(made.id, SYSTEM)
    assert [change.action for change in history] == ["removed", "changed", "created"]
    assert history[1].fields == {
        "post": [None, "支队长"],
        "numbers": [["13800138000 duty 1", "01082345678 office 5"], ["01082345678 office 5"]],
    }
    assert (history[0].by, history[0].at) == ("system:gateway", clock.wall())
    audit = await AuditTrail(store).query(action="dir.contact_*")
    assert [entry.action for entry in audit] == ["dir.contact_remove", "dir.contact_put", "dir.contact_put"]


async def test_what_cannot_be_is_refused(store: MemoryStore, clock: ManualClock) -> None:
    service = service_on(store, clock)
    with pytest.raises(InvalidInputError):
        await put(service, post="无名")
    with pytest.raises(InvalidInputError):
        await put(service, name="甲", numbers=(NumberPut(number="电话"),))
    with pytest.raises(InvalidInputError):
        await put(service, name="甲", valid_from=date(2026, 2, 2), valid_to=date(2026, 2, 1))
    with pytest.raises(NotFoundError):
        await put(service, id="0" * 26, name="甲")
    with pytest.raises(NotFoundError):
        await service.remove("0" * 26, principal=SYSTEM)
    assert store.events == []


async def test_confidential_contacts_are_for_those_with_the_right(store: MemoryStore, clock: ManualClock) -> None:
    service = service_on(store, clock)
    made = await put(
        service, name="首长", numbers=(NumberPut(number="13900139000"),), confidential=True, groups=("甲",)
    )
    assert await names(service, "首长") == ["首长"]
    assert await names(service, "首长", OPERATOR) == await names(service, "首长", None) == []
    assert (await service.caller("13900139000", OPERATOR)).contacts == []
    assert len((await service.caller("13900139000", SYSTEM)).contacts) == 1
    assert service.members("甲", OPERATOR) == []
    for attempt in (service.history(made.id, OPERATOR), service.remove(made.id, principal=OPERATOR)):
        with pytest.raises(NotFoundError):
            await attempt
    with pytest.raises(NotPermittedError):
        await put(service, OPERATOR, name="他", confidential=True)
    assert "首长" not in (await service.export_file(principal=OPERATOR)).decode()
    report = await service.import_file("name,phone\n首长,13900139001\n".encode(), principal=SYSTEM)
    assert report.changed == 1
    assert service.get(made.id, SYSTEM).confidential


async def test_a_units_aliases_and_place_count_for_all_its_contacts(store: MemoryStore, clock: ManualClock) -> None:
    service = service_on(store, clock)
    await put(service, unit="中共某市委员会办公室", name="李娜", groups=("防汛", "抗震"))
    await put(service, unit="某市委员会", name="王伟", groups=("防汛",))
    assert await names(service, "市办") == ["李娜"]  # an abbreviation
    bound = {command.spec.name: command for command in commands(service)}
    unit = UnitPut(name="中共某市委员会办公室", parent="某市委员会", aliases=("市委办",))
    await bound["dir.unit_put"].handler(unit, SimpleNamespace(principal=SYSTEM))
    (found,) = await service.search("市委办", principal=SYSTEM)
    assert (found.contact.name, found.field, found.reason) == ("李娜", "alias", "exact")
    assert await names(service, "委员会") == ["王伟", "李娜"]  # the higher unit first
    with pytest.raises(ConflictError):
        await service.put_unit(OrgUnit(name="某市委员会", parent="中共某市委员会办公室"), principal=SYSTEM)
    assert [unit.name for unit in service.units()] == ["中共某市委员会办公室"]
    assert [one.name for one in service.members("防汛", SYSTEM)] == ["王伟", "李娜"]


def tear(folder: Path) -> None:
    for path in folder.rglob("char_head.key.npy"):
        path.unlink()


async def test_the_index_is_kept_and_catches_up(store: MemoryStore, clock: ManualClock, tmp_path: Path) -> None:
    service = service_on(store, clock, tmp_path)
    await service.load()
    kept = await put(service, unit="甲局", parent_unit="市政府", name="单雄信")
    gone = await put(service, unit="甲局", name="仇英")
    again = service_on(store, clock, tmp_path)
    await again.load()
    await again.remove(gone.id, principal=SYSTEM)
    await again.put_unit(OrgUnit(name="甲局", aliases=("老甲",)), principal=SYSTEM)
    third = service_on(store, clock, tmp_path)
    await third.load()
    assert [found.contact.id for found in await third.search("老甲")] == [kept.id]
    assert await names(third, "仇英") == []
    tear(tmp_path)
    fourth = service_on(store, clock, tmp_path)
    await fourth.load()
    assert await names(fourth, "shanxiongxin") == ["单雄信"]


async def test_an_index_of_another_store_is_not_used(store: MemoryStore, clock: ManualClock, tmp_path: Path) -> None:
    service = service_on(store, clock, tmp_path)
    await put(service, name="甲")
    await service.load()
    other = MemoryStore(clock).create()
    try:
        elsewhere = service_on(other, clock, tmp_path)
        await elsewhere.load()
        assert await names(elsewhere, "甲") == []
    finally:
        other.close()


def file_of(count: int, name: str) -> bytes:
    return b"name,phone\n" + b"".join(f"{name}{n},138{n:08d}\n".encode() for n in range(count))


async def test_much_is_compacted_while_changes_go_on(store: MemoryStore, clock: ManualClock, tmp_path: Path) -> None:
    service = service_on(store, clock, tmp_path)
    await service.load()
    await service.import_file(file_of(1100, "甲"), principal=SYSTEM)
    await asyncio.wait_for(service.much_changed(), 1)
    found = await service.search("甲7", 1)
    compacting = asyncio.create_task(service.compact(), name="compact")
    await asyncio.sleep(0)  # it has begun
    made = await put(service, name="单雄信")
    await service.remove(found[0].contact.id, principal=SYSTEM)
    await compacting
    for one in (service, service_on(store, clock, tmp_path)):
        if one is not service:
            await one.load()
        assert [hit.contact.id for hit in await one.search("sxx")] == [made.id]
        assert await names(one, "甲7") != ["甲7"]
        assert len(await names(one, "甲1099")) == 1
    assert service.lookup("13800000007") == []
    assert len(service.lookup("13800000008")) == 1


async def test_a_large_file_makes_the_index_anew(store: MemoryStore, clock: ManualClock, tmp_path: Path) -> None:
    service = service_on(store, clock, tmp_path)
    await put(service, name="单雄信")
    await service.import_file(file_of(4100, "乙"), principal=SYSTEM)
    again = service_on(store, clock, tmp_path)
    await again.load()
    assert await names(again, "sxx") == await names(service, "sxx") == ["单雄信"]
    assert len(again.lookup("13800004099")) == 1


async def test_what_one_uses_comes_first_for_oneself(store: MemoryStore, clock: ManualClock) -> None:
    service = service_on(store, clock)
    made = [await put(service, unit="水务局", name=name) for name in ("丙一", "丙二", "丙三")]
    assert await names(service, "丙", OPERATOR) == ["丙一", "丙三", "丙二"]
    await service.note_use(made[1].id, principal=OPERATOR)
    await service.note_use(made[2].id, principal=OPERATOR)
    await service.note_use(made[2].id, principal=OPERATOR)
    assert await names(service, "丙", OPERATOR) == ["丙三", "丙二", "丙一"]
    assert await names(service, "丙", OTHER) == ["丙一", "丙三", "丙二"]
    again = service_on(store, clock, duty=lambda: frozenset({made[0].id}))
    await again.load()
    assert await names(again, "丙", OPERATOR) == ["丙一", "丙三", "丙二"]


async def test_validity_is_of_the_day(store: MemoryStore, clock: ManualClock) -> None:
    today = clock.wall().astimezone().date()
    service = service_on(store, clock)
    await put(service, name="昨天", valid_to=today - timedelta(days=1), groups=("甲",))
    await put(service, name="今天", valid_from=today, valid_to=today, groups=("甲",))
    assert await names(service, "昨天") == []
    assert await names(service, "今天") == ["今天"]
    assert [one.name for one in service.members("甲", SYSTEM)] == ["今天"]


class ThreeCalls:
    async def seen(self, canonical: str, *, since: datetime) -> Seen | None:
        if canonical != "+8613700137000":
            return None
        return Seen(calls_week=3, last_at=since + timedelta(days=6), last_with="li-na")


async def test_unknown_numbers_that_called_before(store: MemoryStore, clock: ManualClock) -> None:
    service = service_on(store, clock, calls=ThreeCalls())
    caller = await service.caller("+86 137 0013 7000", OPERATOR)
    assert (caller.number, caller.contacts) == ("13700137000", [])
    assert caller.seen == Seen(calls_week=3, last_at=clock.wall() - timedelta(days=1), last_with="li-na")
    assert caller.seen.last_at.tzinfo is UTC or caller.seen.last_at.utcoffset() == timedelta()
    assert (await service.caller("13700137001", OPERATOR)).seen is None
    assert (await service.caller("未知", OPERATOR)).number == "未知"
