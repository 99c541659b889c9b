"""Supervision: every adapter is kept alive by itself, and none takes another down.

An adapter runs until it is cancelled. When it raises, its supervisor logs the cause, reports ``DEGRADED`` and starts it
again after a jittered back-off. ``ConfigError`` is reported as ``CONFIG_ERROR`` and tried again only slowly, because
nobody is helped by a fast loop around a wrong setting.
"""

import asyncio
import contextlib
import enum
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import structlog

from gateway.core.clock import Clock
from gateway.core.errors import Kind, TrunklineError

log = structlog.get_logger(__name__)


class State(enum.StrEnum):
    """How an adapter is. The names are part of the public face (status, health topic, metrics)."""

    DISABLED = "DISABLED"
    CONFIG_ERROR = "CONFIG_ERROR"
    STARTING = "STARTING"
    READY = "READY"
    DEGRADED = "DEGRADED"
    STOPPED = "STOPPED"


@dataclass(frozen=True, slots=True)
class Health:
    """The state of one adapter, since when, why, and how often it was started again."""

    name: str
    state: State
    since: datetime
    reason: str = ""
    restarts: int = 0


class Reporter(Protocol):
    """How a running adapter tells its state."""

    def ready(self) -> None:
        """It does its work."""
        ...

    def degraded(self, reason: str) -> None:
        """It runs, but cannot do its work for now."""
        ...


class Adapter(Protocol):
    """Something that touches the outside and has to be kept running."""

    @property
    def name(self) -> str:
        """A topic level: ``ami``, ``fastagi``, ``broker``."""
        ...

    async def run(self, reporter: Reporter) -> None:
        """Run until cancelled. Raise to be started again."""
        ...


@dataclass(frozen=True, slots=True)
class Backoff:
    """Full-jitter exponential back-off, in seconds. A run longer than ``reset_after_s`` starts the ladder anew.

    The longest wait is short: what is tried again is mostly on this machine, so a try costs little, and a duty room
    that waits for a broker or an Asterisk that is back already costs more (10.8 s were measured with 15 s).
    """

    first_s: float = 0.2
    factor: float = 2.0
    longest_s: float = 4.0
    reset_after_s: float = 30.0

    def delay_s(self, failures: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
        """Return how long to wait after the *failures*-th failure in a row (1 is the first)."""
        ceiling = min(self.longest_s, self.first_s * self.factor ** min(failures - 1, 32))
        return uniform(ceiling / 2, ceiling)


class Supervisor:
    """Keeps adapters running in named tasks and knows the health of each.

    ``on_change`` is called on the event loop at every change of state, with the new :class:`Health`.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        backoff: Backoff = Backoff(),
        config_retry_s: float = 60.0,
        on_change: Callable[[Health], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._backoff = backoff
        self._config_retry_s = config_retry_s
        self._on_change = on_change
        self._health: dict[str, Health] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    def health(self) -> list[Health]:
        """Return the health of every adapter, in the order in which they were added."""
        return list(self._health.values())

    def disable(self, name: str, reason: str) -> None:
        """Show an adapter that is switched off by configuration."""
        self._set(name, State.DISABLED, reason)

    def start(self, adapter: Adapter) -> None:
        """Start *adapter* in a task of its own."""
        if adapter.name in self._tasks:
            raise ValueError(f"adapter {adapter.name!r} is already supervised")
        self._set(adapter.name, State.STARTING)
        self._tasks[adapter.name] = asyncio.create_task(self._keep(adapter), name=f"supervise:{adapter.name}")

    async def settled(self, *, deadline_s: float) -> None:
        """Wait until no adapter is ``STARTING`` any more, at most *deadline_s*: each is ready, or known not to be."""
        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout(deadline_s):
                while any(health.state is State.STARTING for health in self._health.values()):
                    self._changed.clear()
                    await self._changed.wait()

    async def stop(self, names: Iterable[str] | None = None, *, grace_s: float = 5.0) -> None:
        """Cancel adapters, the last started first, and wait up to *grace_s* for each to let go of what it holds."""
        wanted = list(self._tasks) if names is None else [name for name in names if name in self._tasks]
        for name in reversed(wanted):
            task = self._tasks.pop(name)
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=grace_s)
            if not done:
                log.error("adapter did not stop in time", adapter=name, grace_s=grace_s)
            self._set(name, State.STOPPED)

    async def _keep(self, adapter: Adapter) -> None:
        failures = 0
        while True:
            started = self._clock.monotonic()
            reporter = _Reporter(self, adapter.name)
            try:
                await adapter.run(reporter)
                reason = "ended by itself"
                wrong_config = False
            except asyncio.CancelledError:
                raise
            except TrunklineError as error:
                reason = f"{error.code}: {error.message()}"
                wrong_config = error.kind is Kind.CONFIG
                log.warning("adapter failed", adapter=adapter.name, error=error.code, reason=error.message())
            except Exception as error:  # the one place where anything is caught: a part failed, the house stands
                reason = f"{type(error).__name__}: {error}"
                wrong_config = False
                log.exception("adapter crashed", adapter=adapter.name)
            if self._clock.monotonic() - started > self._backoff.reset_after_s:
                failures = 0
            failures += 1
            self._set(adapter.name, State.CONFIG_ERROR if wrong_config else State.DEGRADED, reason, restarted=True)
            await self._clock.sleep(self._config_retry_s if wrong_config else self._backoff.delay_s(failures))

    def _set(self, name: str, state: State, reason: str = "", *, restarted: bool = False) -> None:
        before = self._health.get(name)
        if before is not None and before.state is state and before.reason == reason and not restarted:
            return
        since = before.since if before is not None and before.state is state else self._clock.wall()
        restarts = 0 if before is None else before.restarts
        health = Health(name=name, state=state, since=since, reason=reason, restarts=restarts + restarted)
        self._health[name] = health
        self._changed.set()
        self._on_change(replace(health))


class _Reporter:
    def __init__(self, supervisor: Supervisor, name: str) -> None:
        self._supervisor = supervisor
        self._name = name

    def ready(self) -> None:
        self._supervisor._set(self._name, State.READY)  # noqa: SLF001  # the reporter is the supervisor's own hand

    def degraded(self, reason: str) -> None:
        self._supervisor._set(self._name, State.DEGRADED, reason)  # noqa: SLF001
