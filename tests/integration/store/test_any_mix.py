"""Any mix of units that succeed and fail, in any grouping, over any number of restarts."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore
from gateway.store.unit import Base, Unit
from tests.support.ledger import assert_whole, enter, entries

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Step:
    entry: str
    events: int
    aggregate: str
    fault: str

    def __call__(self, unit: Unit) -> None:
        if self.fault == "before":
            raise KeyError
        enter(self.entry, events=self.events, aggregate=self.aggregate)(unit)
        if self.fault == "after":
            raise KeyError
        if self.fault == "database":
            unit.connection.execute(sa.text("INSERT INTO no_such_table VALUES (1)"))
        if self.fault == "transaction":
            unit.connection.exec_driver_sql("ROLLBACK")  # takes the neighbours with it


_steps = st.builds(
    Step,
    entry=st.sampled_from([f"e{n}" for n in range(40)]),  # some twice: the second violates the primary key
    events=st.integers(0, 4),
    aggregate=st.sampled_from(["call:1", "call:2", "sms:𠮷"]),
    fault=st.sampled_from(["none"] * 6 + ["before", "after", "database", "transaction"]),
)


@settings(max_examples=40, deadline=None)
@given(lives=st.lists(st.lists(_steps, max_size=25), min_size=1, max_size=3), group_units=st.sampled_from([1, 4, 64]))
def test_numbers_have_no_gap_and_state_and_events_agree(lives: list[list[Step]], group_units: int) -> None:
    async def live(folder: Path, steps: list[Step], before: set[str]) -> set[str]:
        store = SqlStore(
            StoreOptions(group_units=group_units, reserve_mb=0),
            folder=folder,
            site="duty",
            prepare=Base.metadata.create_all,
        )
        heard: list[int] = []
        await store.open()
        first = store.last_seq
        store.listen(lambda event: heard.append(event.seq))
        results = await asyncio.gather(*[store.write(step, name="step") for step in steps], return_exceptions=True)
        await assert_whole(store)
        assert heard == list(range(first + 1, store.last_seq + 1))
        found = await entries(store)
        await store.close()
        done = {step.entry for step, result in zip(steps, results, strict=True) if result is None}
        assert all(step.fault == "none" for step, result in zip(steps, results, strict=True) if result is None)
        assert set(found) == before | done
        return set(found)

    with tempfile.TemporaryDirectory() as folder:
        kept: set[str] = set()
        for steps in lives:
            kept = asyncio.run(live(Path(folder), steps, kept))
