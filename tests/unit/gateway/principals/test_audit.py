import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.clock import ManualClock
from gateway.principals.audit import AuditBudget, AuditTrail, Head
from gateway.principals.model import Principal, PrincipalKind
from tests.support.memory_store import MemoryStore

ZENG = Principal(PrincipalKind.OPERATOR, "zeng", (), "曾国藩")


class Trail:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock).create()
        self.audit = AuditTrail(self.store)

    async def fill(self, rows: int = 8) -> Head:
        for number in range(rows):
            await self.store.write(
                lambda unit, number=number: self.audit.record(
                    unit, ZENG, "tel.dial" if number % 2 else "sms.send", f"line-{number}", "succeeded", {"n": number}
                ),
                name="test",
            )
            await self.clock.advance(1)
        return await self.audit.head()

    def sql(self, *statements: str) -> None:
        with self.store.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    async def faults(self, known: Head | None = None) -> list[tuple[int, str]]:
        return [(fault.seq, fault.what) for fault in (await self.audit.verify(known)).faults]


@pytest.fixture
async def trail():
    trail = Trail()
    yield trail
    trail.store.close()


async def test_an_untouched_chain_is_sound_also_when_it_is_empty(trail):
    assert await trail.faults() == []
    known = await trail.fill(4)
    await trail.fill(4)
    report = await trail.audit.verify(known)
    assert (report.rows, report.faults) == (8, ())


SWAP = (
    "UPDATE audit SET seq = 100 WHERE seq = 3",
    "UPDATE audit SET seq = 3 WHERE seq = 4",
    "UPDATE audit SET seq = 4 WHERE seq = 100",
)


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["UPDATE audit SET outcome = 'failed' WHERE seq = 3"], (3, "changed")),
        (["UPDATE audit SET principal = 'operator:li' WHERE seq = 1"], (1, "changed")),
        (["UPDATE audit SET details = '{\"n\":9}' WHERE seq = 8"], (8, "changed")),
        (["UPDATE audit SET at = '2025-01-01 00:00:00.000000' WHERE seq = 5"], (5, "changed")),
        (["UPDATE audit SET hash = '00' WHERE seq = 5"], (5, "changed")),
        (["DELETE FROM audit WHERE seq = 3"], (3, "missing")),
        (["DELETE FROM audit WHERE seq = 1"], (1, "missing")),
        (["DELETE FROM audit WHERE seq > 6"], (7, "truncated")),
        (["DELETE FROM audit"], (1, "truncated")),
        (["DELETE FROM audit", "DELETE FROM audit_head"], (1, "truncated")),
        (["DELETE FROM audit_head"], (1, "truncated")),
        (["UPDATE audit_head SET seq = 6"], (7, "truncated")),
        (SWAP, (3, "reordered")),
    ],
)
async def test_tampering_shows_and_where(trail, statements, expected):
    known = await trail.fill()
    trail.sql(*statements)
    assert expected in await trail.faults(known)


async def test_removal_of_the_end_together_with_the_head_shows_against_a_known_head(trail):
    known = await trail.fill()
    trail.sql(
        "DELETE FROM audit WHERE seq > 6",
        "UPDATE audit_head SET seq = 6, hash = (SELECT hash FROM audit WHERE seq = 6)",
    )
    assert await trail.faults() == []  # the chain alone cannot know
    assert await trail.faults(known) == [(7, "truncated")]


async def test_a_chain_computed_anew_shows_against_a_known_head(trail):
    known = await trail.fill()
    trail.sql("DELETE FROM audit", "DELETE FROM audit_head")
    await trail.clock.advance(1)
    await trail.fill()
    assert await trail.faults() == []
    assert await trail.faults(known) == [(8, "rewritten")]


async def test_rows_are_found_by_who_what_and_when(trail):
    start = trail.clock.wall()
    await trail.fill()
    assert len(await trail.audit.query(principal="operator:zeng", limit=3)) == 3
    assert [row.resource for row in await trail.audit.query(action="tel.*")] == ["line-7", "line-5", "line-3", "line-1"]
    assert await trail.audit.query(action="tel_dial") == []
    assert await trail.audit.query(principal="operator:li") == []
    later = await trail.audit.query(since=start.replace(second=5))
    assert [row.details["n"] for row in later] == [7, 6, 5]
    assert [row.seq for row in await trail.audit.query(before_seq=3)] == [2, 1]
    assert await trail.audit.query(until=start) == []


async def test_a_unit_that_fails_leaves_no_row(trail):
    await trail.fill(2)

    def work(unit):
        trail.audit.record(unit, ZENG, "tel.dial", "line-1", "succeeded")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await trail.store.write(work, name="test")
    await trail.fill(1)
    assert (await trail.audit.verify()).rows == 3
    assert await trail.faults() == []


async def test_what_strangers_send_is_bounded_and_harmless(trail):
    def work(unit):
        trail.audit.record(unit, "x" * 500, "a\x00\x1b[31m", "\ud800行", "rejected", {"text": "𠮷\ud800\x00" * 3000})

    await trail.store.write(work, name="test")
    assert await trail.faults() == []
    (row,) = await trail.audit.query()
    assert (len(row.principal), row.action, row.resource) == (64, "a??[31m", "?行")
    assert "unreadable" in row.details


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 6), st.sampled_from(["principal", "action", "resource", "outcome", "details", "hash", "previous"])
)
async def test_any_change_of_any_field_shows(seq, column):
    trail = Trail()
    await trail.fill(6)
    trail.sql(
        "UPDATE audit SET COLUMN = COLUMN || 'x' WHERE seq = SEQ".replace("COLUMN", column).replace("SEQ", str(seq))
    )
    assert await trail.faults() != []
    trail.store.close()


async def test_the_budget_refills_with_time_and_bounds_all_together():
    clock = ManualClock()
    budget = AuditBudget(clock, burst=2, per_s=0.5, total_burst=5)
    assert [budget.take("a") for _ in range(3)] == [0, 0, None]
    assert budget.take("b") == 1
    await clock.advance(2)
    assert budget.take("a") == 0
    await clock.advance(1000)
    assert sum(budget.take(f"k{number}") is not None for number in range(50)) == 5
