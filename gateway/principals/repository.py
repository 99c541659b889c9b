"""What is kept of principals. Passwords and tokens are here as digests only."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm

from gateway.core.text import Text
from gateway.principals.model import Principal, PrincipalKind, Right
from gateway.principals.roles import Role
from gateway.store.types import UtcDateTime
from gateway.store.unit import Base


class OperatorRow(Base):
    """A person who signs in."""

    __tablename__ = "operators"

    name: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)
    display_name: orm.Mapped[str] = orm.mapped_column(sa.String(100))
    password: orm.Mapped[str] = orm.mapped_column(sa.String(300))
    disabled: orm.Mapped[bool] = orm.mapped_column(sa.Boolean)
    created_at: orm.Mapped[datetime] = orm.mapped_column(UtcDateTime)
    password_at: orm.Mapped[datetime] = orm.mapped_column(UtcDateTime)


class OperatorRoleRow(Base):
    """An operator has a role."""

    __tablename__ = "operator_roles"

    operator: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("operators.name"), primary_key=True)
    role: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("roles.name"), primary_key=True)


class SignInFailureRow(Base):
    """Wrong passwords in a row for one name from one place. Kept for names that exist only."""

    __tablename__ = "sign_in_failures"

    operator: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("operators.name"), primary_key=True)
    source: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)
    failures: orm.Mapped[int] = orm.mapped_column(sa.Integer)
    last_at: orm.Mapped[datetime] = orm.mapped_column(UtcDateTime)


class RoleRow(Base):
    """A role and its names for people."""

    __tablename__ = "roles"

    name: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)
    title_en: orm.Mapped[str] = orm.mapped_column(sa.String(100))
    title_zh: orm.Mapped[str] = orm.mapped_column(sa.String(100))


class RoleRightRow(Base):
    """A right of a role."""

    __tablename__ = "role_rights"

    role: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("roles.name"), primary_key=True)
    verb: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)
    resource: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)


class SessionRow(Base):
    """A sign-in; ``token`` is the SHA-256 of the session token."""

    __tablename__ = "sessions"

    token: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)
    operator: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("operators.name"), index=True)
    created_at: orm.Mapped[datetime] = orm.mapped_column(UtcDateTime)
    expires_at: orm.Mapped[datetime] = orm.mapped_column(UtcDateTime, index=True)


class ApplicationRow(Base):
    """A program on the bus or at the HTTP interface; ``secret`` is the SHA-256 of its secret."""

    __tablename__ = "applications"

    name: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)
    display_name: orm.Mapped[str] = orm.mapped_column(sa.String(100))
    secret: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    created_at: orm.Mapped[datetime] = orm.mapped_column(UtcDateTime)
    issued_at: orm.Mapped[datetime] = orm.mapped_column(UtcDateTime)
    expires_at: orm.Mapped[datetime | None] = orm.mapped_column(UtcDateTime)
    revoked_at: orm.Mapped[datetime | None] = orm.mapped_column(UtcDateTime)


class ApplicationRightRow(Base):
    """A right of an application."""

    __tablename__ = "application_rights"

    application: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("applications.name"), primary_key=True)
    verb: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)
    resource: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator as others may see it."""

    name: str
    display_name: str
    roles: tuple[str, ...]
    disabled: bool
    created_at: datetime
    password_at: datetime


@dataclass(frozen=True, slots=True)
class Application:
    """An application as others may see it."""

    name: str
    display_name: str
    rights: tuple[Right, ...]
    created_at: datetime
    issued_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def token_digest(token: str) -> str:
    """Return what is kept of a token of 256 random bits: its SHA-256 (a slow hash would add nothing)."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def operators(connection: sa.Connection, name: str | None = None) -> list[Operator]:
    """Return all operators, or the one called *name*."""
    roles: dict[str, list[str]] = {}
    for row in connection.execute(sa.select(OperatorRoleRow.operator, OperatorRoleRow.role)):
        roles.setdefault(row.operator, []).append(row.role)
    query = sa.select(OperatorRow.__table__).order_by(OperatorRow.name)
    if name is not None:
        query = query.where(OperatorRow.name == name)
    return [
        Operator(
            name=row.name,
            display_name=row.display_name,
            roles=tuple(sorted(roles.get(row.name, ()))),
            disabled=row.disabled,
            created_at=row.created_at,
            password_at=row.password_at,
        )
        for row in connection.execute(query)
    ]


def operator_rights(connection: sa.Connection, name: str) -> tuple[Right, ...]:
    """Return the union of the rights of an operator's roles."""
    query = (
        sa.select(RoleRightRow.verb, RoleRightRow.resource)
        .distinct()
        .join(OperatorRoleRow, OperatorRoleRow.role == RoleRightRow.role)
        .where(OperatorRoleRow.operator == name)
        .order_by(RoleRightRow.verb, RoleRightRow.resource)
    )
    return tuple(Right(row.verb, row.resource) for row in connection.execute(query))


def operator_principal(connection: sa.Connection, name: str) -> Principal:
    """Return the operator *name*, who exists, with the rights of now."""
    query = sa.select(OperatorRow.display_name).where(OperatorRow.name == name)
    display_name = connection.execute(query).scalar_one()
    return Principal(PrincipalKind.OPERATOR, name, operator_rights(connection, name), display_name)


def password(connection: sa.Connection, name: str) -> str | None:
    """Return the digest of an operator's password, or ``None`` when there is no such operator."""
    return connection.execute(sa.select(OperatorRow.password).where(OperatorRow.name == name)).scalar_one_or_none()


def set_operator_roles(connection: sa.Connection, name: str, roles: Iterable[str]) -> None:
    """Replace the roles of an operator."""
    connection.execute(sa.delete(OperatorRoleRow).where(OperatorRoleRow.operator == name))
    for role in sorted(set(roles)):
        connection.execute(sa.insert(OperatorRoleRow).values(operator=name, role=role))


def role_names(connection: sa.Connection) -> set[str]:
    """Return the names of the roles that exist."""
    return set(connection.execute(sa.select(RoleRow.name)).scalars())


def roles(connection: sa.Connection) -> list[Role]:
    """Return all roles with their rights."""
    rights: dict[str, list[Right]] = {}
    for row in connection.execute(sa.select(RoleRightRow.__table__).order_by(RoleRightRow.verb, RoleRightRow.resource)):
        rights.setdefault(row.role, []).append(Right(row.verb, row.resource))
    return [
        Role(row.name, Text(row.title_en, row.title_zh), tuple(rights.get(row.name, ())))
        for row in connection.execute(sa.select(RoleRow.__table__).order_by(RoleRow.name))
    ]


def put_role(connection: sa.Connection, role: Role) -> None:
    """Create a role, or replace its titles and rights."""
    titles = {"title_en": role.title.en, "title_zh": role.title.zh}
    if role.name in role_names(connection):
        connection.execute(sa.update(RoleRow).where(RoleRow.name == role.name).values(**titles))
    else:
        connection.execute(sa.insert(RoleRow).values(name=role.name, **titles))
    connection.execute(sa.delete(RoleRightRow).where(RoleRightRow.role == role.name))
    for verb, resource in sorted({(right.verb, right.resource) for right in role.rights}):
        connection.execute(sa.insert(RoleRightRow).values(role=role.name, verb=verb, resource=resource))


def applications(connection: sa.Connection, name: str | None = None) -> list[Application]:
    """Return all applications, or the one called *name*, revoked ones too."""
    rights: dict[str, list[Right]] = {}
    table = ApplicationRightRow
    for row in connection.execute(
        sa.select(table.application, table.verb, table.resource).order_by(table.verb, table.resource)
    ):
        rights.setdefault(row.application, []).append(Right(row.verb, row.resource))
    query = sa.select(ApplicationRow.__table__).order_by(ApplicationRow.name)
    if name is not None:
        query = query.where(ApplicationRow.name == name)
    return [
        Application(
            name=row.name,
            display_name=row.display_name,
            rights=tuple(rights.get(row.name, ())),
            created_at=row.created_at,
            issued_at=row.issued_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
        )
        for row in connection.execute(query)
    ]


def set_application_rights(connection: sa.Connection, name: str, rights: Iterable[Right]) -> None:
    """Replace the rights of an application."""
    connection.execute(sa.delete(ApplicationRightRow).where(ApplicationRightRow.application == name))
    for verb, resource in sorted({(right.verb, right.resource) for right in rights}):
        connection.execute(sa.insert(ApplicationRightRow).values(application=name, verb=verb, resource=resource))
