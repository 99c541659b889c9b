"""Looking at a command before it is taken: its form, its time, its right."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from gateway.commands.answers import Request, Source
from gateway.commands.envelope import COMMAND_ID, INCIDENT, check_json
from gateway.commands.errors import CommandExpiredError, CommandSchemaError, NotOnBusError, TtlTooLongError
from gateway.commands.registry import CommandRegistry, RegisteredCommand
from gateway.core.errors import TrunklineError
from gateway.core.events import Message

CLOCK_SKEW_S = 2.0


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found. Without a ``refusal`` there are ``command`` and ``body``.

    ``digest`` tells whether two commands with one id are the same; ``kept`` is the body as the ledger may hold it.
    """

    expires_at: datetime
    command: RegisteredCommand | None = None
    body: Message | None = None
    resource: str = "*"
    digest: str = ""
    kept: bytes | None = None
    refusal: TrunklineError | None = None


class Examiner:
    """Examines requests. It writes nothing and waits for nothing."""

    def __init__(self, registry: CommandRegistry) -> None:
        self._registry = registry
        # A password's plain hash could be guessed at leisure: bodies with secrets are hashed with a key that lives as
        # long as this process. After a restart the same id and body is a conflict then, and surely not done twice.
        self._key = secrets.token_bytes(32)

    def examine(self, request: Request, now: datetime, *, checked: bool) -> Examined:
        """Return what is found of *request* at *now*; *checked* tells that its JSON was looked at already."""
        found = Examined(expires_at=now)
        try:
            _check_attributes(request)
            command = self._registry.find(request.name)
            found = replace(found, command=command, digest=self._digest(command, request, bytes(request.data)))
            if not checked:
                check_json(bytes(request.data))
            body = command.decode(request.data)
            canonical = msgspec.json.encode(body, order="deterministic")
            found = replace(
                found,
                body=body,
                resource=command.spec.resource(body),
                digest=self._digest(command, request, canonical),
                kept=None if command.spec.secrets else canonical,
            )
            if command.spec.secrets and request.source is Source.BUS:
                raise NotOnBusError(name=request.name)
            request.principal.require(request.name, found.resource)
            return replace(found, expires_at=_deadline(command, request, now))
        except TrunklineError as error:
            return replace(found, refusal=error)

    def _digest(self, command: RegisteredCommand, request: Request, data: bytes) -> str:
        text = b"\0".join((request.name.encode(), (request.incident or "").encode(), data))
        if command.spec.secrets:
            return hmac.new(self._key, text, "sha256").hexdigest()
        return hashlib.sha256(text).hexdigest()


def _check_attributes(request: Request) -> None:
    if COMMAND_ID.fullmatch(request.command_id) is None:
        raise CommandSchemaError(reason="the id must be 1 to 64 letters, digits, _ or -")
    if request.incident is not None and INCIDENT.fullmatch(request.incident) is None:
        raise CommandSchemaError(reason="the incident must be 1 to 64 letters, digits, ., _ or -")


def _deadline(command: RegisteredCommand, request: Request, now: datetime) -> datetime:
    spec = command.spec
    if request.expires_at is None:
        return now + timedelta(seconds=min(spec.default_ttl_s, spec.max_ttl_s))
    if request.expires_at <= now:
        raise CommandExpiredError
    latest = now + timedelta(seconds=spec.max_ttl_s)
    if request.expires_at > latest + timedelta(seconds=CLOCK_SKEW_S):
        raise TtlTooLongError(limit_s=spec.max_ttl_s)
    return min(request.expires_at, latest)
