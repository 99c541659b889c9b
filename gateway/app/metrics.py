"""Prometheus metrics: read from the parts when they are asked for, so that no part has to count for them."""

import asyncio
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.app.switchboard import SwitchboardParts
from gateway.bus.service import Bus
from gateway.core.supervisor import State, Supervisor
from gateway.store.store import SqlStore


class GatewayCollector(Collector):
    """Health of the adapters, store, calls and bus. Names follow Prometheus's conventions (base units, ``_total``)."""

    def __init__(self, *, supervisor: Supervisor, store: SqlStore, switchboard: SwitchboardParts, bus: Bus) -> None:
        self._supervisor = supervisor
        self._store = store
        self._switchboard = switchboard
        self._bus = bus

    def describe(self) -> list[Metric]:
        """Say nothing before it is asked: the parts are not started yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read every part."""
        state = GaugeMetricFamily(
            "trunkline_adapter_state", "1 for the state an adapter is in", labels=["adapter", "state"]
        )
        restarts = CounterMetricFamily(
            "trunkline_adapter_restarts", "How often an adapter was started again", labels=["adapter"]
        )
        for health in self._supervisor.health():
            for each in State:
                state.add_metric([health.name, each.value], float(health.state is each))
            restarts.add_metric([health.name], health.restarts)
        yield state
        yield restarts

        yield from (GaugeMetricFamily(name, text, value=value) for name, text, value in self._gauges())
        yield from (CounterMetricFamily(name, text, value=value) for name, text, value in self._counters())

    def _gauges(self) -> Iterator[tuple[str, str, float]]:
        store, relay, switchboard = self._store.health(), self._bus.relay, self._switchboard
        yield "trunkline_store_up", "Whether the store can be written", float(not store.trouble)
        yield "trunkline_store_queue_units", "Units of work that wait for the writer", store.queue_units
        yield "trunkline_store_commit_seconds", "How long the last commit took", store.last_commit_s
        if store.free_bytes is not None:
            yield "trunkline_store_free_bytes", "Free space beside the store", store.free_bytes
        yield "trunkline_events_last_seq", "Number of the newest durable event", self._store.last_seq
        yield "trunkline_outbox_position", "Number up to which the broker has every event", relay.position
        backlog = max(0, self._store.last_seq - relay.position)
        yield "trunkline_outbox_backlog", "Durable events that the broker has not confirmed yet", backlog
        yield "trunkline_calls_up", "Calls that are up", len(switchboard.book.open())
        yield "trunkline_fastagi_sessions", "FastAGI sessions that are open", switchboard.fastagi.sessions
        yield "trunkline_tasks", "Tasks of the event loop", len(asyncio.all_tasks())

    def _counters(self) -> Iterator[tuple[str, str, float]]:
        store, relay, fastagi = self._store.counters, self._bus.relay, self._switchboard.fastagi
        yield "trunkline_store_units", "Units of work that became durable or failed", store.units
        yield "trunkline_store_units_failed", "Units of work that failed", store.failed_units
        yield "trunkline_store_units_refused", "Units of work refused because too many waited", store.refused_units
        yield "trunkline_store_units_unknown", "Units of work whose outcome nobody knows", store.unknown_units
        yield "trunkline_store_events_shed", "Telemetry left out for want of space", store.shed_events
        yield "trunkline_outbox_published", "Events that the broker took", relay.published
        yield "trunkline_outbox_set_aside", "Events set aside because the broker denied them", relay.set_aside
        yield "trunkline_fastagi_served", "FastAGI sessions served", fastagi.served
        yield "trunkline_fastagi_failed", "FastAGI sessions that failed", fastagi.failed
        yield "trunkline_answers_dropped", "Answers pushed out of a full queue", self._bus.intake.answers_dropped
