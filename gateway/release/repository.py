"""What is kept of releases: requests and every step ever taken, also those that count no more."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from gateway.release.rules import Given, Release, ReleaseState, valid
from gateway.store.types import UtcDateTime
from gateway.store.unit import Base


class ReleaseRow(Base):
    """One request."""

    __tablename__ = "release"

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(32))
    subject: Mapped[str] = mapped_column(sa.String(128))
    digest: Mapped[str] = mapped_column(sa.String(64))
    title: Mapped[str] = mapped_column(sa.Text)
    exercise: Mapped[bool] = mapped_column(sa.Boolean)
    incident: Mapped[str | None] = mapped_column(sa.String(26))
    steps: Mapped[str] = mapped_column(sa.String(64))
    one_person: Mapped[bool] = mapped_column(sa.Boolean)
    state: Mapped[str] = mapped_column(sa.String(16))
    round: Mapped[int] = mapped_column(sa.Integer)
    made_by: Mapped[str] = mapped_column(sa.String(128))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    not_after: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by: Mapped[str | None] = mapped_column(sa.String(128))
    reason: Mapped[str] = mapped_column(sa.Text)
    overridden: Mapped[bool] = mapped_column(sa.Boolean)

    __table_args__ = (sa.Index(None, "state", "not_after"), sa.Index(None, "kind", "subject"))


class ReleaseStepRow(Base):
    """One step that was taken. ``round`` counts the contents of a request: only its present round counts."""

    __tablename__ = "release_step"

    release_id: Mapped[str] = mapped_column(sa.ForeignKey(ReleaseRow.id), primary_key=True)
    round: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    place: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    step: Mapped[str] = mapped_column(sa.String(16))
    by: Mapped[str] = mapped_column(sa.String(128))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    digest: Mapped[str] = mapped_column(sa.String(64))


_ALL = sa.select(*ReleaseRow.__table__.columns)
_STEPS = sa.select(*ReleaseStepRow.__table__.columns)


def find(connection: sa.Connection, release: str) -> Release | None:
    """Return one request with the steps that count."""
    row = connection.execute(_ALL.where(ReleaseRow.id == release)).mappings().one_or_none()
    return None if row is None else _release(connection, row)


def of_subject(connection: sa.Connection, kind: str, subject: str) -> list[Release]:
    """Return the requests for a thing that are still on their way (a rejected one may come back)."""
    living = (ReleaseState.PENDING.value, ReleaseState.REJECTED.value)
    query = _ALL.where(ReleaseRow.kind == kind, ReleaseRow.subject == subject, ReleaseRow.state.in_(living))
    return [_release(connection, row) for row in connection.execute(query).mappings().all()]


def living(connection: sa.Connection, *, limit: int, lapsed_at: datetime | None = None) -> list[Release]:
    """Return requests on their way, the first to lapse first; with *lapsed_at* those only whose time is over."""
    states = (ReleaseState.PENDING.value, ReleaseState.REJECTED.value)
    query = _ALL.where(ReleaseRow.state.in_(states)).order_by(ReleaseRow.not_after, ReleaseRow.id).limit(limit)
    if lapsed_at is not None:
        query = query.where(ReleaseRow.not_after <= lapsed_at)
    return [_release(connection, row) for row in connection.execute(query).mappings().all()]


def page(connection: sa.Connection, *, kind: str | None, before: datetime | None, limit: int) -> list[Release]:
    """Return requests of any state, the latest made first."""
    query = _ALL.order_by(ReleaseRow.made_at.desc(), ReleaseRow.id.desc()).limit(limit)
    if kind is not None:
        query = query.where(ReleaseRow.kind == kind)
    if before is not None:
        query = query.where(ReleaseRow.made_at < before)
    return [_release(connection, row) for row in connection.execute(query).mappings().all()]


def insert(connection: sa.Connection, release: Release) -> None:
    """Keep a new request without steps."""
    names = ("id", "kind", "subject", "digest", "title", "exercise", "incident", "one_person", "made_by", "made_at")
    values = {name: getattr(release, name) for name in names}
    connection.execute(
        sa.insert(ReleaseRow).values(
            **values,
            steps=" ".join(release.steps),
            state=release.state.value,
            round=1,
            not_after=release.not_after,
            reason="",
            overridden=False,
        )
    )


def take(connection: sa.Connection, release: Release, given: Given) -> None:
    """Keep a step; the same place taken twice fails on its key."""
    connection.execute(
        sa.insert(ReleaseStepRow).values(
            release_id=release.id,
            round=_round(connection, release.id),
            place=len(release.given),
            step=given.step,
            by=given.by,
            at=given.at,
            digest=given.digest,
        )
    )


def change(connection: sa.Connection, release: str, *, digest: str, exercise: bool) -> None:
    """Begin a new round with another content."""
    connection.execute(
        sa.update(ReleaseRow)
        .where(ReleaseRow.id == release)
        .values(
            digest=digest,
            exercise=exercise,
            round=ReleaseRow.round + 1,
            state=ReleaseState.PENDING.value,
            ended_at=None,
            ended_by=None,
            reason="",
        )
    )


def end(connection: sa.Connection, release: Release) -> None:
    """Keep how a request ended."""
    connection.execute(
        sa.update(ReleaseRow)
        .where(ReleaseRow.id == release.id)
        .values(
            state=release.state.value,
            ended_at=release.ended_at,
            ended_by=release.ended_by,
            reason=release.reason,
            overridden=release.overridden,
        )
    )


def _round(connection: sa.Connection, release: str) -> int:
    return connection.execute(sa.select(ReleaseRow.round).where(ReleaseRow.id == release)).scalar_one()


def _release(connection: sa.Connection, row: Mapping[Any, Any]) -> Release:
    values = {str(name): value for name, value in row.items()}
    now_round = values.pop("round")
    query = _STEPS.where(ReleaseStepRow.release_id == values["id"], ReleaseStepRow.round == now_round)
    steps = connection.execute(query.order_by(ReleaseStepRow.place)).mappings()
    given = [Given(step=step["step"], by=step["by"], at=step["at"], digest=step["digest"]) for step in steps]
    values["given"] = valid(given, values["digest"])
    values["steps"] = tuple(values["steps"].split())
    values["state"] = ReleaseState(values["state"])
    return Release(**values)
