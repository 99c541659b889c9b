"""Applications: programs with a secret of their own, and rights."""

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

import sqlalchemy as sa
import structlog

from gateway.core.clock import Clock
from gateway.core.errors import InvalidInputError, NotFoundError
from gateway.core.ids import is_level
from gateway.principals import repository
from gateway.principals.audit import AuditTrail
from gateway.principals.errors import CredentialRefusedError, NameTakenError
from gateway.principals.model import Principal, PrincipalKind, Right
from gateway.principals.options import PrincipalsOptions
from gateway.principals.repository import Application, ApplicationRightRow, ApplicationRow
from gateway.store.unit import Store, Unit

log = structlog.get_logger(__name__)

_VERB_PATTERN = re.compile(r"[a-z0-9_.*?-]{1,64}")
_RESOURCE_PATTERN = re.compile(r"[a-z0-9_*?-]{1,64}")
_NO_DIGEST = "0" * 64


@dataclass(frozen=True, slots=True, repr=False)
class IssuedSecret:
    """A secret as it is shown once, to whom asked for it."""

    name: str
    secret: str
    told: bool | None = None
    """Whether the broker knows it already; None where no broker is to be told."""

    def __repr__(self) -> str:
        return f"IssuedSecret({self.name!r}, …)"


class CredentialSink(Protocol):
    """Something that checks applications' secrets by itself and has to be told of them: the broker.

    It is called after the change is durable here. What it cannot be told now it has to fetch when it can be reached
    again, by comparing itself with :meth:`ApplicationService.list`.
    """

    async def granted(self, application: Principal, secret: str) -> bool:
        """*application* has a new secret; tell whether it stands there already. False: it follows."""
        ...

    async def revoked(self, name: str) -> bool:
        """The application may not connect any more; tell whether that stands there already. False: it follows."""
        ...


def check_rights(rights: Sequence[Right]) -> None:
    """Raise :class:`InvalidInputError` unless every pattern is one of lower-case names, ``*`` and ``?``."""
    for right in rights:
        if _VERB_PATTERN.fullmatch(right.verb) is None:
            raise InvalidInputError(field="rights", reason=f"not a verb pattern: {right.verb!r}")
        if _RESOURCE_PATTERN.fullmatch(right.resource) is None:
            raise InvalidInputError(field="rights", reason=f"not a resource pattern: {right.resource!r}")


def check_name(name: str) -> None:
    """Raise :class:`InvalidInputError` unless *name* may be a level of a topic."""
    if not is_level(name):
        raise InvalidInputError(field="name", reason="must be 1 to 32 of a-z, 0-9, _ and -")


def check_display_name(text: str) -> None:
    """Raise :class:`InvalidInputError` unless *text* is up to 100 printable characters."""
    if len(text) > 100 or not text.isprintable():
        raise InvalidInputError(field="display_name", reason="must be up to 100 printable characters")


class ApplicationService:
    """Issues, rotates, revokes and checks the credentials of applications."""

    def __init__(
        self, store: Store, clock: Clock, options: PrincipalsOptions, audit: AuditTrail, sinks: list[CredentialSink]
    ) -> None:
        self._store = store
        self._clock = clock
        self._options = options
        self._audit = audit
        self._sinks = sinks

    async def add(self, by: Principal, name: str, rights: Sequence[Right], display_name: str = "") -> IssuedSecret:
        """Register *name* and return its secret, which is not kept. The name of a revoked one may be used again."""
        check_name(name)
        check_display_name(display_name)
        check_rights(rights)
        secret = secrets.token_urlsafe(32)

        def work(unit: Unit) -> Application:
            existing = repository.applications(unit.connection, name)
            if existing and existing[0].revoked_at is None:
                raise NameTakenError(name=name)
            if existing:
                _delete(unit.connection, name)
            row = {**self._issue(unit, secret), "name": name, "display_name": display_name, "created_at": unit.now}
            unit.connection.execute(sa.insert(ApplicationRow).values(**row))
            repository.set_application_rights(unit.connection, name, rights)
            details = {"rights": [f"{right.verb} {right.resource}" for right in rights]}
            self._audit.record(unit, by, "sys.app_add", name, "done", details)
            return repository.applications(unit.connection, name)[0]

        return await self._grant(await self._store.write(work, name="application.add"), secret)

    async def rotate(self, by: Principal, name: str) -> IssuedSecret:
        """Give *name* a new secret; the old one ends at once."""
        secret = secrets.token_urlsafe(32)

        def work(unit: Unit) -> Application:
            application = _active(unit.connection, name)
            unit.connection.execute(
                sa.update(ApplicationRow).where(ApplicationRow.name == name).values(**self._issue(unit, secret))
            )
            self._audit.record(unit, by, "sys.app_rotate", name, "done")
            return replace(application, issued_at=unit.now)

        return await self._grant(await self._store.write(work, name="application.rotate"), secret)

    async def revoke(self, by: Principal, name: str) -> bool | None:
        """End the credential of *name*; tell whether the broker knows it already, None where none is to be told."""

        def work(unit: Unit) -> None:
            _active(unit.connection, name)
            unit.connection.execute(
                sa.update(ApplicationRow)
                .where(ApplicationRow.name == name)
                .values(revoked_at=unit.now, secret=_NO_DIGEST)
            )
            self._audit.record(unit, by, "sys.app_revoke", name, "done")

        await self._store.write(work, name="application.revoke")
        return _all_told([await sink.revoked(name) for sink in self._sinks])

    async def list(self) -> Sequence[Application]:
        """Return all applications, revoked ones too."""
        return await self._store.read(repository.applications)

    async def principal(self, name: str) -> Principal:
        """Return the application *name*, whose secret somebody else (the broker) has checked."""

        def query(connection: sa.Connection) -> Principal:
            application = _active(connection, name)
            if application.expires_at is not None and application.expires_at <= self._clock.wall():
                raise CredentialRefusedError
            return _principal(application)

        return await self._store.read(query)

    async def active(self) -> Sequence[Principal]:
        """Return the applications that may act now: neither revoked nor with a secret that is over."""
        now = self._clock.wall()
        return [
            _principal(one)
            for one in await self._store.read(repository.applications)
            if one.revoked_at is None and (one.expires_at is None or one.expires_at > now)
        ]

    async def resolve(self, name: str, secret: str) -> Principal:
        """Return the application that *name* and *secret* belong to, or raise :class:`CredentialRefusedError`."""
        digest = repository.token_digest(secret)

        def query(connection: sa.Connection) -> Principal | None:
            kept = connection.execute(sa.select(ApplicationRow.secret).where(ApplicationRow.name == name)).scalar()
            fits = hmac.compare_digest(kept or _NO_DIGEST, digest)
            found = repository.applications(connection, name) if fits else []
            if not found or found[0].revoked_at is not None:
                return None
            expires_at = found[0].expires_at
            return None if expires_at is not None and expires_at <= self._clock.wall() else _principal(found[0])

        principal = await self._store.read(query) if is_level(name) else None
        if principal is None:
            raise CredentialRefusedError
        return principal

    def _issue(self, unit: Unit, secret: str) -> dict[str, object]:
        lifetime_s = self._options.application_secret_s
        return {
            "secret": repository.token_digest(secret),
            "issued_at": unit.now,
            "expires_at": unit.now + timedelta(seconds=lifetime_s) if lifetime_s else None,
            "revoked_at": None,
        }

    async def _grant(self, application: Application, secret: str) -> IssuedSecret:
        told = _all_told([await sink.granted(_principal(application), secret) for sink in self._sinks])
        log.info("application credential issued", application=application.name)
        return IssuedSecret(application.name, secret, told)


def _all_told(told: Sequence[bool]) -> bool | None:
    return all(told) if told else None


def _active(connection: sa.Connection, name: str) -> Application:
    found = repository.applications(connection, name)
    if not found or found[0].revoked_at is not None:
        raise NotFoundError(what="application", name=name)
    return found[0]


def _delete(connection: sa.Connection, name: str) -> None:
    connection.execute(sa.delete(ApplicationRightRow).where(ApplicationRightRow.application == name))
    connection.execute(sa.delete(ApplicationRow).where(ApplicationRow.name == name))


def _principal(application: Application) -> Principal:
    return Principal(PrincipalKind.APPLICATION, application.name, application.rights, application.display_name)
