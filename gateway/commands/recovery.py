"""What becomes of commands that the last life of the gateway left unfinished."""

from datetime import timedelta
from typing import Protocol

from gateway.commands.answers import Answer, CommandState, error_body
from gateway.commands.errors import BodyNotKeptError, CommandExpiredError, OutcomeUnknownError
from gateway.commands.examination import CLOCK_SKEW_S
from gateway.commands.execution import Work
from gateway.commands.ledger import LedgerEntry
from gateway.commands.registry import CommandRegistry
from gateway.core.clock import Clock
from gateway.core.errors import TrunklineError
from gateway.principals.model import Principal, PrincipalKind


class PrincipalResolver(Protocol):
    """Who a principal is by now (:class:`gateway.principals.service.PrincipalService`)."""

    async def principal(self, kind: PrincipalKind, name: str) -> Principal:
        """Return the principal with its present rights; raise ``NotFoundError`` when it is gone."""
        ...


class Recovery:
    """Decides for one unfinished command: begun ones are unknown, late ones expired, the others are begun now."""

    def __init__(self, registry: CommandRegistry, principals: PrincipalResolver, clock: Clock) -> None:
        self._registry = registry
        self._principals = principals
        self._clock = clock

    async def decide(self, entry: LedgerEntry) -> Work | Answer:
        """Return the work that is to be begun, or the answer with which *entry* ends."""
        try:
            return await self._again(entry)
        except TrunklineError as error:
            match error:
                case OutcomeUnknownError():
                    state = CommandState.UNKNOWN
                case CommandExpiredError():
                    state = CommandState.EXPIRED
                case _:
                    state = CommandState.FAILED
            before = entry.answer
            return Answer(before.command_id, before.name, state, self._clock.wall(), None, error_body(error))

    def resource_of(self, entry: LedgerEntry) -> str:
        """Return what *entry* is about, ``*`` when that cannot be told any more."""
        try:
            command = self._registry.find(entry.answer.name)
            return "*" if entry.body is None else command.spec.resource(command.decode(entry.body))
        except TrunklineError:
            return "*"  # the command or its form is gone since

    async def _again(self, entry: LedgerEntry) -> Work:
        if entry.answer.state is CommandState.IN_PROGRESS:
            raise OutcomeUnknownError(name=entry.answer.name)
        now = self._clock.wall()
        if entry.expires_at <= now or entry.accepted_at > now + timedelta(seconds=CLOCK_SKEW_S):
            raise CommandExpiredError  # accepted in the future: the clock was set back, and no time can be trusted
        command = self._registry.find(entry.answer.name)
        if entry.body is None:
            raise BodyNotKeptError
        kind, _, name = entry.note.principal.partition(":")
        principal = await self._principals.principal(PrincipalKind(kind), name)
        body = command.decode(entry.body)
        resource = command.spec.resource(body)
        principal.require(command.spec.name, resource)
        deadline = self._clock.monotonic() + (entry.expires_at - now).total_seconds()
        return Work(principal, command, body, resource, entry, deadline)
