"""The whole house under calls while broker, daemon and Asterisk are killed; `make test-load` is the long version."""

import pytest

from tests.acceptance.run import Away, with_faults

pytestmark = pytest.mark.integration


@pytest.mark.timeout(180)
async def test_each_call_is_told_once_whatever_dies() -> None:
    verdict = await with_faults(60, 4, 64, Away(broker_s=2, daemon_s=3, stop_s=0, between_s=1))
    assert not verdict.problems, "\n".join(verdict.problems)
    assert verdict.counts["calls in CEL"] >= 50
    assert verdict.counts["recovered starts"] >= 1
    assert verdict.counts["synthesised ends"] >= 1
