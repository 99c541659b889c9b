"""Prometheus metrics: read from the parts when they are asked for, so that no part has to count for them."""

import asyncio
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.app.switchboard import SwitchboardParts
from gateway.bus.intake import CommandIntake
from gateway.core.supervisor import State, Supervisor
from gateway.store.store import SqlStore


class GatewayCollector(Collector):
    """Health of the adapters, store, calls and bus. Names follow Prometheus's conventions (base units, ``_total``)."""

    def __init__(
        self, *, supervisor: Supervisor, store: SqlStore, switchboard: SwitchboardParts, intake: CommandIntake
    ) -> None:
        self._supervisor = supervisor
        self._store = store
        self._switchboard = switchboard
        self._intake = intake

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

        store = self._store.health()
        yield GaugeMetricFamily(
            "trunkline_store_up", "Whether the store can be written", value=float(not store.trouble)
        )
        yield GaugeMetricFamily(
            "trunkline_store_queue_units", "Units of work that wait for the writer", value=store.queue_units
        )
        yield GaugeMetricFamily(
            "trunkline_store_commit_seconds", "How long the last commit took", value=store.last_commit_s
        )
        yield GaugeMetricFamily(
            "trunkline_events_last_seq", "Number of the newest durable event", value=self._store.last_seq
        )
        if store.free_bytes is not None:
            yield GaugeMetricFamily("trunkline_store_free_bytes", "Free space beside the store", value=store.free_bytes)

        yield GaugeMetricFamily("trunkline_tasks", "Tasks of the event loop", value=len(asyncio.all_tasks()))
        fastagi = self._switchboard.fastagi
        yield GaugeMetricFamily("trunkline_calls_up", "Calls that are up", value=len(self._switchboard.book.open()))
        yield GaugeMetricFamily("trunkline_fastagi_sessions", "FastAGI sessions that are open", value=fastagi.sessions)
        yield CounterMetricFamily("trunkline_fastagi_served", "FastAGI sessions served", value=fastagi.served)
        yield CounterMetricFamily("trunkline_fastagi_failed", "FastAGI sessions that failed", value=fastagi.failed)
        yield CounterMetricFamily(
            "trunkline_commands_dropped", "Commands dropped in a flood", value=self._intake.dropped
        )
