import asyncio
import contextvars

import pytest

from gateway.store.errors import StoreOverloadedError, StoreUnavailableError
from gateway.store.jobs import Job, JobQueue


def _job(name: str, deadline: float = 0.0) -> Job:
    return Job(lambda _: None, name, asyncio.get_running_loop().create_future(), contextvars.copy_context(), deadline)


async def test_jobs_keep_their_order_also_when_put_back() -> None:
    jobs = JobQueue(2)
    jobs.put(_job("a"))
    jobs.put(_job("b"))
    with pytest.raises(StoreOverloadedError):
        jobs.put(_job("c"))
    taken = [jobs.take(), jobs.take()]
    assert jobs.take() is None
    jobs.put(_job("c"))
    jobs.put_back(job for job in taken if job is not None)
    assert [job.name for job in iter(jobs.take, None)] == ["a", "b", "c"]


async def test_only_those_whose_deadline_has_passed_are_late() -> None:
    jobs = JobQueue(9)
    for name, deadline in (("a", 1.0), ("b", 2.0), ("c", 3.0)):
        jobs.put(_job(name, deadline))
    assert [job.name for job in jobs.take_late(2.0)] == ["a", "b"]
    assert len(jobs) == 1


async def test_after_the_end_everything_is_refused_with_the_reason() -> None:
    jobs = JobQueue(9)
    jobs.put(_job("a"))
    jobs.stop()
    assert jobs.stopping
    assert jobs.wait(10) is True
    assert [job.name for job in jobs.close(StoreUnavailableError(reason="over"))] == ["a"]
    assert jobs.wait(10) is False
    with pytest.raises(StoreUnavailableError, match="over"):
        jobs.put(_job("b"))
