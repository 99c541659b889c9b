"""Ends of commands: written down, and secrets shown once."""

from typing import Any

import structlog

from gateway.commands import ledger
from gateway.commands.answers import Answer, CommandState
from gateway.commands.events import CommandUnknown
from gateway.commands.ledger import LedgerEntry
from gateway.core.clock import Clock
from gateway.core.events import Happening
from gateway.principals.audit import AuditTrail
from gateway.store.errors import StoreError
from gateway.store.unit import Store, Unit

log = structlog.get_logger(__name__)

_AGAIN_AFTER_S = (0.2, 1.0, 5.0, 15.0)
_SHOWN_S = 60.0
_SHOWN_MOST = 32


class Endings:
    """Writes final states: ledger, audit and, for an unknown outcome, an event, in one transaction."""

    def __init__(self, store: Store, clock: Clock, audit: AuditTrail) -> None:
        self._store = store
        self._clock = clock
        self._audit = audit
        self._patient = True

    def hurry(self) -> None:
        """The gateway stops: try once from now on."""
        self._patient = False

    async def write(self, entry: LedgerEntry, answer: Answer, resource: str) -> Answer:
        """Write one end down and return the one that stands: an end that is written already stays as it is.

        Raises ``StoreError``.
        """
        principal, command_id = entry.note.principal, answer.command_id or ""
        details: dict[str, Any] = {"command": command_id, "source": entry.note.source.value}
        if answer.error is not None:
            details["error"] = answer.error["code"]
        told = CommandUnknown(command=answer.name, command_id=command_id, principal=principal, about=resource)
        happening = Happening(
            event=told,
            resource="commands",
            aggregate=f"command:{command_id}",
            incident=entry.incident,
            causation=command_id,
        )

        def work(unit: Unit) -> Answer:
            if not ledger.finish(unit.connection, principal, answer):
                standing = ledger.find(unit.connection, *entry.key)
                return answer if standing is None else standing.answer
            self._audit.record(unit, principal, answer.name, resource, answer.state.value, details)
            if answer.state is CommandState.UNKNOWN:
                unit.emit(happening)
            return answer

        return await self._store.write(work, name="command.finish")

    async def write_patiently(self, entry: LedgerEntry, answer: Answer, resource: str) -> Answer | StoreError:
        """Do as :meth:`write`, trying again for a while; return why it could not be."""
        trouble: StoreError
        for delay_s in (*_AGAIN_AFTER_S, None):
            try:
                return await self.write(entry, answer, resource)
            except StoreError as error:
                trouble = error
            if delay_s is None or not self._patient:
                break
            await self._clock.sleep(delay_s)
        log.error(
            "the end of a command is not written", command=answer.name, state=answer.state.value, why=str(trouble)
        )
        return trouble


class ShownOnce:
    """Answers with secrets, kept in memory until their caller has fetched them, a minute at most."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: dict[tuple[str, str], tuple[float, Answer]] = {}

    def put(self, key: tuple[str, str], answer: Answer) -> None:
        """Keep an answer; the oldest gives way when there are too many."""
        if len(self._answers) >= _SHOWN_MOST:
            del self._answers[next(iter(self._answers))]
        self._answers[key] = (self._clock.monotonic() + _SHOWN_S, answer)

    def take(self, key: tuple[str, str]) -> Answer | None:
        """Return the answer and forget it."""
        until, answer = self._answers.pop(key, (0.0, None))
        return answer if until > self._clock.monotonic() else None
