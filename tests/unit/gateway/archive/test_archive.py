import asyncio
import errno
import hashlib
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar
from litestar.di import Provide
from litestar.testing import AsyncTestClient

from gateway.archive.care import ArchiveCare
from gateway.archive.errors import (
    ArchiveDamagedError,
    ArchiveFullError,
    ArchiveHeldError,
    ArchiveMissingError,
    ArchiveTooLargeError,
)
from gateway.archive.folder import Folder
from gateway.archive.options import ArchiveOptions, Rule
from gateway.archive.ranges import RangeError, parse_range
from gateway.archive.routes import routes
from gateway.archive.rules import Reason, Scope
from gateway.archive.service import ArchiveService
from gateway.core.clock import ManualClock
from gateway.core.errors import InvalidInputError, NotFoundError
from gateway.principals.audit import AuditTrail
from gateway.principals.model import SYSTEM, Principal
from tests.support import archive_child
from tests.support.local_store import LocalStore
from tests.support.wait import until

ROOT = Path(__file__).parents[4]
RULES = (
    Rule(name="传真永久", kinds=("fax",), tags=("重要",)),
    Rule(name="fax", kinds=("fax",), keep_days=30),
    Rule(name="rest", keep_days=365),
)


class Alarms:
    def __init__(self):
        self.keys = set()

    def report(self, condition):
        self.keys.add(condition.key)

    def clear(self, key):
        self.keys.discard(key)


class Room:
    def __init__(self, folder, **options):
        self.clock = ManualClock()
        self.store = LocalStore(self.clock)
        self.alarms = Alarms()
        self.links = {}
        self.options = ArchiveOptions(rules=RULES, **options)
        self.folder = Folder(folder, max_bytes=1 << 22, reserve_bytes=0)
        self.service = ArchiveService(
            store=self.store,
            folder=self.folder,
            clock=self.clock,
            audit=AuditTrail(self.store),
            alarms=self.alarms,
            options=self.options,
            incident_of=lambda _connection, aggregate: self.links.get(aggregate),
        )

    async def add(self, content=b"page", **given):
        given = {
            "kind": "fax",
            "media_type": "image/tiff",
            "name": "../../市应急办 🚒.tif",
            "principal": SYSTEM,
            **given,
        }
        return await self.service.add(content, **given)

    async def read(self, document, *span):
        return b"".join([piece async for piece in self.service.read(document, *span)])

    def files(self):
        return [path for path in self.folder.root.rglob("*") if path.is_file()]


@pytest.fixture
async def room(tmp_path):
    made = Room(tmp_path / "archive")
    await made.service.start()
    yield made
    made.store.close()


async def test_what_is_put_in_comes_out(room):
    async def pieces():
        for _ in range(5):
            yield b"x" * 300_000

    document = await room.add(pieces(), aggregate="fax:1", tags=["重要"])
    assert document.digest == hashlib.sha256(b"x" * 1_500_000).hexdigest()
    assert await room.read(document) == b"x" * 1_500_000
    assert await room.read(document, 1_499_990, 9_999_999) == b"x" * 10
    assert [path.name for path in room.files()] == [document.digest]
    assert room.files()[0].stat().st_mode & 0o777 == 0o600
    assert [found.name for found in await room.service.search(aggregate="fax:1")] == ["../../市应急办 🚒.tif"]
    assert all("市应急办".encode() not in event.payload for event in room.store.journal)


async def test_the_same_content_is_one_file_until_the_last_record_goes(room):
    first, second = await room.add(), await room.add(kind="report")
    assert len(room.files()) == 1
    await room.service.delete(first.id, principal=SYSTEM, why="重复")
    assert await room.read(second) == b"page"
    with pytest.raises(NotFoundError):
        await room.service.get(first.id)
    await room.service.delete(second.id, principal=SYSTEM, why="重复")
    assert room.files() == []
    assert room.store.types()[-1] == "ops.document_deleted.v1"


async def test_putting_in_and_deleting_at_once_never_loses_a_file(room):
    async def one(number):
        document = await room.add()
        if number % 2:
            await room.service.delete(document.id, principal=SYSTEM, why="test")
        else:
            kept.append(document)

    kept = []
    await asyncio.gather(*(one(number) for number in range(20)))
    for document in kept:
        assert await room.read(document) == b"page"


async def test_too_large_leaves_nothing(room):
    with pytest.raises(ArchiveTooLargeError):
        await room.add(b"x" * ((1 << 22) + 1))
    assert room.files() == []
    assert room.store.happenings == []


async def test_disk_full_leaves_nothing_and_says_so(room, monkeypatch):
    real = os.write

    def full(handle, data):
        if len(data) > 1000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(ArchiveFullError) as caught:
        await room.add(b"x" * 2000)
    assert "归档磁盘已满" in caught.value.message("zh")
    assert room.files() == []
    room.folder.reserve_bytes = 1 << 62
    with pytest.raises(ArchiveFullError):
        await room.add(b"x")


async def test_a_store_that_is_down_leaves_an_orphan_that_is_adopted(room):
    room.store.down = True
    with pytest.raises(Exception, match="store"):
        await room.add()
    room.store.down = False
    assert len(room.files()) == 1
    found = await room.service.reconcile()
    assert (found.adopted, found.missing, found.damaged) == (1, 0, 0)
    assert [document.kind for document in await room.service.search()] == ["orphan"]
    assert (await room.service.reconcile()).adopted == 0


async def test_a_cancelled_caller_keeps_file_and_record_together(room):
    for turns in range(12):
        task = asyncio.create_task(room.add(f"{turns}".encode()), name="caller")
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    while room.service._running:
        await asyncio.wait(list(room.service._running))
    assert (await room.service.reconcile()).adopted == 0
    assert list((room.folder.root / "incoming").iterdir()) == []
    for document in await room.service.search():
        await room.service.verify(document.digest)


async def test_missing_and_changed_files_are_told_and_healed_by_putting_them_in_again(room):
    document = await room.add()
    path = room.folder.path(document.digest)
    path.chmod(0o600)
    path.write_bytes(b"pagf")
    with pytest.raises(ArchiveDamagedError):
        await room.read(document)
    assert room.alarms.keys == {f"document:{document.digest}"}
    await room.add()
    assert room.alarms.keys == set()
    assert await room.read(document) == b"page"
    path.unlink()
    assert (await room.service.reconcile()).missing == 2  # both records of it
    assert room.alarms.keys == {f"document:{document.digest}"}
    with pytest.raises(ArchiveMissingError):
        await room.read(document)
    assert "ops.document_failed.v1" in room.store.types()


async def test_scrub_reads_every_document_in_turn(room):
    documents = [await room.add(bytes([number])) for number in range(3)]
    room.folder.path(documents[1].digest).write_bytes(b"?")
    assert [await room.service.scrub_next() for _ in range(4)] == [True, False, True, None]


async def test_a_file_under_a_wrong_name_is_set_aside(room):
    path = room.folder.path("ab" * 32)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not it")
    found = await room.service.reconcile()
    assert (found.adopted, found.damaged) == (0, 1)
    assert [path.parent.name for path in room.files()] == ["damaged"]


async def test_the_first_rule_that_fits_decides(room):
    fax, marked, other = await room.add(), await room.add(b"2", tags=["重要"]), await room.add(b"3", kind="memo")
    assert (await room.service.explain(fax.id)).rule == "fax"
    assert (await room.service.explain(marked.id)).reason is Reason.RULE_FOREVER
    assert "永久保留" in (await room.service.explain(marked.id)).text_zh
    await room.clock.advance(31 * 86_400)
    assert [verdict.id for verdict in await room.service.retention(dry_run=True)] == [fax.id]
    assert len(room.files()) == 3
    assert [verdict.id for verdict in await room.service.retention(dry_run=False)] == [fax.id]
    assert len(room.files()) == 2
    assert (await room.service.explain(other.id)).reason is Reason.RULE_WAITS


@pytest.mark.parametrize("scope", list(Scope))
async def test_a_hold_beats_rules_and_people(room, scope):
    document = await room.add(aggregate="fax:1", incident="i1")
    value = {"document": document.id, "aggregate": "fax:1", "incident": "i1", "time": ""}[scope.value]
    until = room.clock.wall() if scope is Scope.TIME else None
    hold = await room.service.hold_add(scope=scope, value=value, until=until, reason="调查", principal=SYSTEM)
    await room.clock.advance(400 * 86_400)
    assert await room.service.retention(dry_run=False) == []
    with pytest.raises(ArchiveHeldError):
        await room.service.delete(document.id, principal=SYSTEM, why="空间")
    assert (await room.service.explain(document.id)).holds == (hold.id,)
    await room.service.hold_end(hold.id, principal=SYSTEM, why="结案")
    assert len(await room.service.retention(dry_run=False)) == 1


async def test_a_hold_on_an_incident_reaches_what_was_tied_to_it_later(room):
    document = await room.add(aggregate="fax:1")
    room.links["fax:1"] = "i9"
    await room.service.hold_add(scope=Scope.INCIDENT, value="i9", reason="调查", principal=SYSTEM)
    await room.clock.advance(400 * 86_400)
    assert (await room.service.explain(document.id)).reason is Reason.HELD


async def test_a_hold_says_what_it_holds(room):
    for given_ in ({"scope": Scope.TIME}, {"scope": Scope.DOCUMENT}, {"scope": Scope.TIME, "value": "x"}):
        with pytest.raises(InvalidInputError):
            await room.service.hold_add(reason="调查", principal=SYSTEM, **given_)


async def test_a_removal_that_a_crash_interrupted_is_ended(room, monkeypatch):
    document = await room.add()

    def crash(digest):
        raise KeyboardInterrupt

    monkeypatch.setattr(room.folder, "remove", crash)
    monkeypatch.setattr(room.service, "_remove", lambda _digest: asyncio.sleep(0))
    await room.service.delete(document.id, principal=SYSTEM, why="test")
    assert len(room.files()) == 1
    monkeypatch.undo()
    await room.service.start()
    assert room.files() == []


async def test_care_deletes_what_is_due_and_scrubs(room):
    class Quiet:
        def ready(self):
            pass

    await room.add()
    task = asyncio.create_task(ArchiveCare(room.service, room.options, room.clock).run(Quiet()), name="care")

    async def a_day_later() -> bool:
        await room.clock.advance(86_400)
        return not room.files()

    await until(a_day_later, "the file is deleted")
    task.cancel()
    await asyncio.wait([task])
    assert room.files() == []


@given(st.text(max_size=30) | st.from_regex(r"bytes=\d{0,3}-\d{0,3}", fullmatch=True), st.integers(0, 200))
def test_a_range_lies_within_the_document(header, size):
    try:
        found = parse_range(header, size)
    except RangeError:
        return
    if found is not None:
        start, stop = found
        assert 0 <= start < stop <= size


async def test_the_fetch_is_authorised_audited_and_knows_ranges(room):
    document = await room.add(b"0123456789")
    who = [SYSTEM]
    provide = {"principal": Provide(lambda: who[0], sync_to_thread=False)}
    app = Litestar(routes(room.service), dependencies=provide)
    async with AsyncTestClient(app) as client:
        whole = await client.get(f"/documents/{document.id}/content")
        assert (whole.status_code, whole.content) == (200, b"0123456789")
        assert whole.headers["content-disposition"].startswith("attachment; filename*=UTF-8''..%2F..%2F%E5%B8%82")
        part = await client.get(f"/documents/{document.id}/content", headers={"range": "bytes=2-4"})
        assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
        changed = {"range": "bytes=2-4", "if-range": '"other"'}
        assert (await client.get(f"/documents/{document.id}/content", headers=changed)).status_code == 200
        beyond = await client.get(f"/documents/{document.id}/content", headers={"range": "bytes=10-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */10")
        entries = await AuditTrail(room.store).query()
        assert [entry.action for entry in entries] == ["ops.document_read"] * 3
        who[0] = Principal(SYSTEM.kind, "nobody")
        assert (await client.get(f"/documents/{document.id}/content")).status_code == 500


@pytest.mark.parametrize("after_lines", [8, 41, 90])
async def test_killed_at_any_moment_nothing_promised_is_lost(tmp_path, after_lines):
    child = subprocess.Popen(  # noqa: ASYNC220  # starting it is all that blocks
        [sys.executable, "-m", "tests.support.archive_child", str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(30):
            lines = [await asyncio.to_thread(child.stdout.readline) for _ in range(after_lines)]
    finally:
        child.kill()
        lines += child.communicate()[0].splitlines()
    promised = {line.split()[1].decode() for line in lines if line.startswith(b"kept ") and len(line.split()) == 2}
    promised -= {line.split()[1].decode() for line in lines if line.startswith(b"deleting ") and len(line.split()) == 2}
    assert len(promised) > 3
    store, files, service = archive_child.service_in(tmp_path)
    await store.open()
    try:
        await service.start()
        found = await service.reconcile()
        assert (found.missing, found.damaged) == (0, 0)
        assert list((files.root / "incoming").iterdir()) == []
        for name in promised:
            await service.verify((await service.get(name)).digest, anew=True)
        live = {document.digest for document in await service.search(limit=100_000)}
        assert live == set(files.digests())
    finally:
        await store.close()


def test_a_name_that_is_no_digest_makes_no_path(tmp_path):
    folder = Folder(tmp_path, max_bytes=1, reserve_bytes=0)
    for name in ("../../etc/passwd", "AB" * 32, "", "a" * 63):
        with pytest.raises(ValueError, match="digest"):
            folder.path(name)


def test_a_hundred_days_are_days():
    assert timedelta(days=RULES[1].keep_days) == timedelta(seconds=30 * 86_400)
