import pytest
import sqlalchemy as sa

from gateway.commands.auditing import AuditRead, AuditVerify, commands
from gateway.core.clock import ManualClock
from gateway.core.errors import InvalidInputError
from gateway.principals.audit import AuditRow, AuditTrail
from gateway.principals.model import SYSTEM
from tests.support.memory_store import MemoryStore


@pytest.fixture
async def trail():
    store = MemoryStore(ManualClock()).create()
    audit = AuditTrail(store)
    for line in (1, 2, 3):
        await store.write(
            lambda unit, line=line: audit.record(
                unit, SYSTEM, "tel.dial", f"line-{line}", "succeeded", {"单位": "应急办"}
            ),
            name="audit",
        )
    yield store, {bound.spec.name: bound.handler for bound in commands(audit)}
    store.close()


async def test_the_newest_rows_come_first(trail):
    _, handlers = trail
    page = await handlers["sys.audit_read"](AuditRead(action="tel.*", limit=2), None)
    assert [row.resource for row in page.rows] == ["line-3", "line-2"]
    assert page.rows[0].details == {"单位": "应急办"}
    page = await handlers["sys.audit_read"](AuditRead(before_seq=2), None)
    assert [row.seq for row in page.rows] == [1]


async def test_a_changed_row_is_found_and_a_known_head_proves_the_end(trail):
    store, handlers = trail
    proof = await handlers["sys.audit_verify"](AuditVerify(), None)
    assert (proof.rows, proof.head_seq, proof.whole) == (3, 3, True)
    known = AuditVerify(known_seq=proof.head_seq, known_hash=proof.head_hash)
    assert (await handlers["sys.audit_verify"](known, None)).whole
    await store.write(
        lambda unit: unit.connection.execute(sa.update(AuditRow).where(AuditRow.seq == 2).values(outcome="failed")),
        name="tamper",
    )
    proof = await handlers["sys.audit_verify"](AuditVerify(), None)
    assert (proof.whole, [(fault.seq, fault.what) for fault in proof.faults]) == (False, [(2, "changed")])


async def test_half_a_head_is_refused(trail):
    _, handlers = trail
    with pytest.raises(InvalidInputError, match="belong together"):
        await handlers["sys.audit_verify"](AuditVerify(known_seq=3), None)
