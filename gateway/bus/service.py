"""The bus as the daemon has it: session, outbox, commands and replay over one connection.

Order of composition: :class:`CurrentConnection` and :class:`gateway.bus.replay.ReplayService` first (``sys.replay`` is
one of the commands), then registry and dispatcher, then :class:`Bus`, then ``dispatcher.recover()``, then
:meth:`Bus.start`. Commands are refused to the broker, and so kept by it, until the dispatcher has recovered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gateway.bus.asyncapi import Contract, catalog_of
from gateway.bus.connections import CurrentConnection
from gateway.bus.intake import Applications, CommandIntake, Dispatcher
from gateway.bus.messages import Info
from gateway.bus.options import BusOptions
from gateway.bus.port import BusPort, Login
from gateway.bus.relay import Journal, OutboxRelay, sensitive_names
from gateway.bus.retained import RetainedState
from gateway.bus.session import BusSession
from gateway.bus.topics import Topics
from gateway.core.board import Board
from gateway.core.clock import Clock
from gateway.core.errors import TrunklineError
from gateway.core.ids import new_id
from gateway.core.supervisor import Health, Supervisor
from gateway.principals.audit import AuditTrail
from gateway.store.unit import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class BusNeeds:
    """What the bus is given by the composition root. ``store`` and ``journal`` are the same object in the daemon.

    ``login`` holds client id, user and password; the rest of it is the bus's own.
    """

    options: BusOptions
    port: BusPort
    login: Login
    store: Store
    journal: Journal
    board: Board
    clock: Clock
    dispatcher: Dispatcher
    applications: Applications
    audit: AuditTrail
    contract: Contract
    version: str
    epoch: int
    health: Callable[[], Sequence[Health]]
    on_alarm: Callable[[TrunklineError], None]


class Bus:
    """The adapters ``broker``, ``outbox`` and ``answers``, joined."""

    def __init__(self, needs: BusNeeds, current: CurrentConnection) -> None:
        options = needs.options
        topics = Topics(options.site)
        self.topics = topics
        self.retained = RetainedState(
            topics,
            needs.board,
            needs.clock,
            Info(
                version=needs.version,
                site=options.site,
                epoch=needs.epoch,
                instance=new_id(),
                started_at=needs.clock.wall(),
            ),
            catalog=catalog_of(needs.contract),
            health=needs.health,
            heartbeat_s=options.heartbeat_s,
            deadline_s=options.deadline_s,
            on_alarm=needs.on_alarm,
        )
        self.intake = CommandIntake(
            needs.dispatcher,
            needs.applications,
            needs.store,
            needs.audit,
            topics,
            needs.clock,
            current,
            on_alarm=needs.on_alarm,
        )
        login = replace(needs.login, will=self.retained.will, session_expiry_s=options.session_expiry_s)
        self.session = BusSession(needs.port, login, topics, self.retained, self.intake, current)
        self.relay = OutboxRelay(
            needs.journal,
            current,
            topics,
            needs.clock,
            # A part of the window is left to answers and state, so that a backlog of events does not hold them up.
            window=max(1, options.publish_window * 3 // 4),
            settle_s=options.settle_s,
            sensitive=sensitive_names(needs.contract.events),
            on_alarm=needs.on_alarm,
        )

    def start(self, supervisor: Supervisor) -> None:
        """Start the three adapters; the first to be stopped is the last started, so the session says goodbye last."""
        supervisor.start(self.session)
        supervisor.start(self.relay)
        supervisor.start(self.intake)

    def close(self) -> None:
        """Stop listening to board and dispatcher, after the adapters have stopped."""
        self.retained.close()
        self.intake.close()
