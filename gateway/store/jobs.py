"""Units of work on their way from the event loop to the writer's thread."""

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from gateway.store.errors import StoreError, StoreOverloadedError
from gateway.store.unit import Unit


@dataclass(slots=True)
class Job:
    """A unit of work that waits for its turn; ``deadline`` (monotonic) bounds its wait for a database that is away.

    ``losses`` counts the connections that broke while it ran alone; ``told`` is set once its caller has an answer.
    """

    work: Callable[[Unit], Any]
    name: str
    future: asyncio.Future[Any]
    context: contextvars.Context
    deadline: float
    losses: int = 0
    told: bool = False


class JobQueue:
    """A bounded queue in order of arrival, filled on the event loop and emptied by the writer's thread."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._jobs: deque[Job] = deque()
        self._condition = threading.Condition()
        self._stopping = threading.Event()
        self._closed: StoreError | None = None

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def stopping(self) -> bool:
        """Whether no more is to come."""
        return self._stopping.is_set()

    def put(self, job: Job) -> None:
        """Append *job*; raise ``StoreOverloadedError`` or, after :meth:`close`, the reason of that."""
        with self._condition:
            if self._closed is not None:
                raise another(self._closed)
            if len(self._jobs) >= self._bound:
                raise StoreOverloadedError(waiting=len(self._jobs))
            self._jobs.append(job)
            self._condition.notify()

    def put_back(self, jobs: Iterable[Job]) -> None:
        """Put jobs that were taken back to the front, in their order; the bound does not matter to them."""
        with self._condition:
            self._jobs.extendleft(reversed(list(jobs)))

    def take(self) -> Job | None:
        """Return the first, None when there is none at present."""
        try:
            return self._jobs.popleft()
        except IndexError:
            return None

    def take_late(self, now: float) -> list[Job]:
        """Return those at the front whose deadline has passed."""
        late = []
        with self._condition:
            while self._jobs and self._jobs[0].deadline <= now:
                late.append(self._jobs.popleft())
        return late

    def wait(self, timeout_s: float) -> bool:
        """Wait until there is a job or the stop; tell whether there is a job."""
        with self._condition:
            if not self._jobs and not self._stopping.is_set():
                self._condition.wait(timeout_s)
            return bool(self._jobs)

    def stop(self) -> None:
        """Wake whoever waits: no more is to come."""
        with self._condition:
            self._stopping.set()
            self._condition.notify()

    def wait_for_stop(self, timeout_s: float) -> None:
        """Sleep, but not beyond :meth:`stop`."""
        self._stopping.wait(timeout_s)

    def close(self, reason: StoreError) -> list[Job]:
        """Refuse everything from now on with *reason*; return what was still waiting."""
        with self._condition:
            self._closed = reason
            left = list(self._jobs)
            self._jobs.clear()
        return left


def another(error: StoreError) -> StoreError:
    """Return the same error anew for each who is told, so that tracebacks do not pile up in one."""
    return type(error)(**error.fields)
