"""Operators, roles and sessions; and the one place that tells who somebody is."""

import os
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from gateway.core.clock import Clock
from gateway.core.errors import NotFoundError
from gateway.core.ids import is_level
from gateway.core.text import Text
from gateway.principals import repository
from gateway.principals.applications import (
    ApplicationService,
    CredentialSink,
    check_display_name,
    check_name,
    check_rights,
)
from gateway.principals.audit import AuditTrail
from gateway.principals.errors import LastAdministratorError, NameTakenError, SignInRefusedError
from gateway.principals.model import SYSTEM, NotPermittedError, Principal, PrincipalKind, Right
from gateway.principals.options import PrincipalsOptions
from gateway.principals.passwords import PasswordHasher, check_policy, generate_password
from gateway.principals.repository import Operator, OperatorRoleRow, OperatorRow, SessionRow, SignInFailureRow
from gateway.principals.roles import ADMINISTRATOR, DEFAULT_ROLES, Role
from gateway.principals.sessions import Session, SessionService
from gateway.store.unit import Store, Unit


class PrincipalService:
    """Keeps operators, roles, sessions and (as ``applications``) applications."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        options: PrincipalsOptions,
        audit: AuditTrail,
        *,
        sinks: Iterable[CredentialSink] = (),
    ) -> None:
        self._store = store
        self._clock = clock
        self._options = options
        self._audit = audit
        self._hasher = PasswordHasher(options)
        self._sessions = SessionService(store, clock, options, audit, self._hasher)
        self._daemon_uid = os.getuid()
        self.applications = ApplicationService(store, clock, options, audit, list(sinks))

    async def start(self) -> None:
        """Create the default roles that do not exist yet; roles that were changed are left alone."""
        await self._store.write(_seed_roles, name="principals.roles")

    def close(self) -> None:
        """Let the hashing threads end."""
        self._hasher.close()

    # Operators

    async def bootstrap_administrator(self, name: str, password: str | None = None) -> str:
        """Create the first administrator and return the password: *password*, or one made up, to be shown once.

        Raises :class:`NotPermittedError` when there is an administrator already.
        """
        chosen = generate_password() if password is None else password
        await self.start()
        digest = await self._new_password(name, chosen)

        def work(unit: Unit) -> None:
            if _administrators(unit.connection):
                raise NotPermittedError(principal="bootstrap", verb="sys.operator_add", resource=name)
            self._insert_operator(unit, SYSTEM, name, name, [ADMINISTRATOR], digest=digest)

        await self._store.write(work, name="operator.bootstrap")
        return chosen

    async def add_operator(
        self, by: Principal, name: str, display_name: str, roles: Sequence[str], password: str
    ) -> Operator:
        """Register an operator. Raises for a name that is in use, an unknown role or a weak password."""
        check_display_name(display_name)
        digest = await self._new_password(name, password)

        def work(unit: Unit) -> Operator:
            self._insert_operator(unit, by, name, display_name, roles, digest=digest)
            return _operator(unit.connection, name)

        return await self._store.write(work, name="operator.add")

    async def modify_operator(
        self,
        by: Principal,
        name: str,
        *,
        display_name: str | None = None,
        roles: Sequence[str] | None = None,
        disabled: bool | None = None,
    ) -> Operator:
        """Change what is given. Disabling ends the operator's sessions; the last administrator stays one."""
        if display_name is not None:
            check_display_name(display_name)

        def work(unit: Unit) -> Operator:
            connection = unit.connection
            _operator(connection, name)
            changes: dict[str, object] = {}
            if display_name is not None:
                changes["display_name"] = display_name
            if disabled is not None:
                changes["disabled"] = disabled
            if changes:
                connection.execute(sa.update(OperatorRow).where(OperatorRow.name == name).values(**changes))
            if roles is not None:
                _require_roles(connection, roles)
                repository.set_operator_roles(connection, name, roles)
            if not _administrators(connection):
                raise LastAdministratorError(name=name)
            if disabled:
                connection.execute(sa.delete(SessionRow).where(SessionRow.operator == name))
            details = {"changed": sorted(changes), "disabled": disabled, "roles": None if roles is None else [*roles]}
            self._audit.record(unit, by, "sys.operator_modify", name, "done", details)
            return _operator(connection, name)

        return await self._store.write(work, name="operator.modify")

    async def set_password(self, by: Principal, name: str, password: str) -> None:
        """Give an operator a new password; ends all of the operator's sessions and any wait."""
        digest = await self._new_password(name, password)

        def work(unit: Unit) -> None:
            _operator(unit.connection, name)
            self._replace_password(unit, by, "sys.operator_password", name, digest)

        await self._store.write(work, name="operator.password")

    async def change_password(self, by: Principal, old: str, new: str) -> None:
        """Let an operator change the own password. Raises :class:`SignInRefusedError` when *old* does not fit."""
        if by.kind is not PrincipalKind.OPERATOR:
            raise NotPermittedError(principal=str(by), verb="sys.password_change", resource=by.name)
        kept = await self._store.read(lambda connection: repository.password(connection, by.name))
        if await self._hasher.verify(kept, old) is None:
            raise SignInRefusedError
        digest = await self._new_password(by.name, new)

        def work(unit: Unit) -> None:
            if repository.password(unit.connection, by.name) != kept:
                raise SignInRefusedError
            self._replace_password(unit, by, "sys.password_change", by.name, digest)

        await self._store.write(work, name="operator.password_change")

    async def operators(self) -> Sequence[Operator]:
        """Return all operators, disabled ones too."""
        return await self._store.read(repository.operators)

    # Roles

    async def roles(self) -> Sequence[Role]:
        """Return all roles with their rights."""
        return await self._store.read(repository.roles)

    async def set_role(self, by: Principal, name: str, title: Text, rights: Sequence[Right]) -> None:
        """Create or replace a role; that of the administrators cannot be changed."""
        check_name(name)
        check_display_name(title.en)
        check_display_name(title.zh)
        check_rights(rights)
        if name == ADMINISTRATOR:
            raise NotPermittedError(principal=str(by), verb="sys.role_set", resource=name)

        def work(unit: Unit) -> None:
            repository.put_role(unit.connection, Role(name, title, tuple(rights)))
            details = {"rights": [f"{right.verb} {right.resource}" for right in rights]}
            self._audit.record(unit, by, "sys.role_set", name, "done", details)

        await self._store.write(work, name="role.set")

    # Sessions

    async def sign_in(self, name: str, password: str, *, source: str = "") -> Session:
        """See :meth:`SessionService.sign_in`."""
        return await self._sessions.sign_in(name, password, source=source)

    async def sign_out(self, token: str) -> None:
        """End a session; one that is not there is no error."""
        await self._sessions.sign_out(token)

    async def resolve_session(self, token: str) -> Principal:
        """Return who holds the session *token*, and let it live on. Raises :class:`SessionEndedError`."""
        return await self._sessions.resolve(token)

    # Everybody

    async def resolve_application(self, name: str, secret: str) -> Principal:
        """Return the application that *name* and *secret* belong to. Raises :class:`CredentialRefusedError`."""
        return await self.applications.resolve(name, secret)

    async def local(self, uid: int, user: str = "") -> Principal:
        """Return the principal of a user of this machine, whose *uid* the kernel vouches for.

        root and the user that the gateway runs as are administrators; others have no rights.
        """
        rights = (Right("*"),) if uid in (0, self._daemon_uid) else ()
        return Principal(PrincipalKind.LOCAL, user if is_level(user) else f"uid-{uid}", rights, user)

    async def principal(self, kind: PrincipalKind, name: str) -> Principal:
        """Return a principal with the rights of now, for work that goes on after a restart.

        Raises :class:`NotFoundError` for one that is gone or disabled. A local principal was one with rights.
        """
        match kind:
            case PrincipalKind.APPLICATION:
                return await self.applications.principal(name)
            case PrincipalKind.OPERATOR:
                return await self._store.read(lambda connection: _enabled_operator(connection, name))
            case PrincipalKind.LOCAL:
                return Principal(kind, name, (Right("*"),), name)
            case PrincipalKind.SYSTEM:
                return SYSTEM

    async def _new_password(self, name: str, password: str) -> str:
        check_name(name)
        check_policy(password, name)
        return await self._hasher.digest(password)

    def _insert_operator(
        self, unit: Unit, by: Principal, name: str, display_name: str, roles: Sequence[str], *, digest: str
    ) -> None:
        if repository.operators(unit.connection, name):
            raise NameTakenError(name=name)
        _require_roles(unit.connection, roles)
        row = {"name": name, "display_name": display_name, "password": digest, "disabled": False}
        unit.connection.execute(sa.insert(OperatorRow).values(**row, created_at=unit.now, password_at=unit.now))
        repository.set_operator_roles(unit.connection, name, roles)
        self._audit.record(unit, by, "sys.operator_add", name, "done", {"roles": sorted(set(roles))})

    def _replace_password(self, unit: Unit, by: Principal, action: str, name: str, digest: str) -> None:
        unit.connection.execute(
            sa.update(OperatorRow).where(OperatorRow.name == name).values(password=digest, password_at=unit.now)
        )
        unit.connection.execute(sa.delete(SessionRow).where(SessionRow.operator == name))
        unit.connection.execute(sa.delete(SignInFailureRow).where(SignInFailureRow.operator == name))
        self._audit.record(unit, by, action, name, "done")


def _operator(connection: sa.Connection, name: str) -> Operator:
    found = repository.operators(connection, name)
    if not found:
        raise NotFoundError(what="operator", name=name)
    return found[0]


def _enabled_operator(connection: sa.Connection, name: str) -> Principal:
    if _operator(connection, name).disabled:
        raise NotFoundError(what="operator", name=name)
    return repository.operator_principal(connection, name)


def _administrators(connection: sa.Connection) -> int:
    query = (
        sa.select(sa.func.count())
        .select_from(OperatorRoleRow)
        .join(OperatorRow, OperatorRow.name == OperatorRoleRow.operator)
        .where(OperatorRoleRow.role == ADMINISTRATOR, OperatorRow.disabled.is_(False))
    )
    return connection.execute(query).scalar_one()


def _require_roles(connection: sa.Connection, roles: Sequence[str]) -> None:
    for role in set(roles) - repository.role_names(connection):
        raise NotFoundError(what="role", name=role)


def _seed_roles(unit: Unit) -> None:
    existing = repository.role_names(unit.connection)
    for role in DEFAULT_ROLES:
        if role.name not in existing:
            repository.put_role(unit.connection, role)
