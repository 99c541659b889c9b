"""What may be done with releases."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from msgspec.structs import replace

from gateway.core.board import Board
from gateway.core.errors import ConflictError, NotFoundError, TrunklineError
from gateway.core.events import Event, Happening, Message
from gateway.core.ids import new_id
from gateway.principals.audit import AuditTrail
from gateway.principals.model import SYSTEM, Principal
from gateway.release import repository
from gateway.release.events import (
    ReleaseChanged,
    Released,
    ReleaseExpired,
    ReleaseOverridden,
    ReleaseRejected,
    ReleaseRequested,
    ReleaseStepTaken,
    ReleaseWithdrawn,
)
from gateway.release.options import ReleaseOptions
from gateway.release.rules import (
    TRANSITIONS,
    Action,
    Given,
    Release,
    ReleaseDigestError,
    ReleaseState,
    ReleaseStateError,
    check_step,
    follow,
)
from gateway.store.unit import Store, Unit

T = TypeVar("T")

BOARD_LIMIT = 50
LAPSED_BATCH = 100


class Releasable(Protocol):
    """A kind of thing that is released; the feature that owns it implements this and registers it.

    Both are called on the writer thread inside the unit of the release, so that "released" and what the feature does
    about it are one transaction: exactly once, across any crash.
    """

    def digest(self, connection: sa.Connection, subject: str) -> str | None:
        """Return the digest of the content as it is now, None when there is no such thing."""
        ...

    def released(self, unit: Unit, release: Release) -> None:
        """Put the thing on its way, by rows in the feature's own tables. An exception takes the step back."""
        ...


class ReleaseLine(Message, frozen=True, kw_only=True):
    """A request on the board."""

    id: str
    kind: str
    title: str
    exercise: bool
    state: str
    next_step: str | None
    made_by: str
    not_after: datetime


class ReleaseBoard(Message, frozen=True, kw_only=True):
    """Requests on their way, the first to lapse first; ``more`` when not all are listed."""

    releases: tuple[ReleaseLine, ...]
    more: bool


class ReleaseService:
    """Requests, steps and releases. Rights are asked here too, so that features may call it directly."""

    def __init__(self, *, store: Store, board: Board, audit: AuditTrail, options: ReleaseOptions) -> None:
        self._store = store
        self._board = board
        self._audit = audit
        self._options = options
        self._kinds: dict[str, Releasable] = {}
        self.wake: Callable[[], None] = lambda: None

    def register(self, kind: str, releasable: Releasable) -> None:
        """Let a feature own a kind; before anything of that kind is asked for."""
        self._kinds[kind] = releasable

    def marked(self, text: str, *, exercise: bool) -> str:
        """Return *text* with the mark of an exercise in front, once."""
        mark = self._options.exercise_mark
        return text if not exercise or text.startswith(mark) else mark + text

    async def request(
        self,
        *,
        kind: str,
        subject: str,
        digest: str,
        title: str,
        principal: Principal,
        exercise: bool = False,
        incident: str | None = None,
        not_after: datetime | None = None,
    ) -> Release:
        """Ask for the release of a thing, which is the step ``make``; a policy of one step releases it at once."""
        principal.require("ops.release_make", kind)
        policy = self._options.policy(kind)
        release_id = new_id()

        def work(unit: Unit) -> Release:
            for other in repository.of_subject(unit.connection, kind, subject):
                raise ConflictError(what=f"{kind} {subject}", reason=f"its release {other.id} is on its way already")
            release = Release(
                id=release_id,
                kind=kind,
                subject=subject,
                digest=digest,
                title=title,
                exercise=exercise,
                incident=incident,
                steps=policy.steps,
                one_person=policy.one_person,
                state=ReleaseState.PENDING,
                given=(),
                made_by=str(principal),
                made_at=unit.now,
                not_after=not_after or unit.now + timedelta(seconds=policy.not_after_s),
            )
            self._check_content(unit, release)
            if release.not_after <= unit.now:
                raise ConflictError(what=f"{kind} {subject}", reason="its time is over")
            repository.insert(unit.connection, release)
            requested = ReleaseRequested(**_says(release, principal), steps=release.steps, not_after=release.not_after)
            _emit(unit, release, requested)
            return self._take(unit, release, step="make", digest=digest, principal=principal)

        return await self._write(work, "release-request")

    async def step(self, release_id: str, *, step: str, kind: str, digest: str, principal: Principal) -> Release:
        """Take a step on the content with *digest*; the last one releases it."""
        principal.require(f"ops.release_{step}", kind)

        def work(unit: Unit) -> Release | TrunklineError:
            release = _get(unit.connection, release_id, kind)
            if self._lapse(unit, release):
                return ReleaseStateError(id=release.id, state=ReleaseState.EXPIRED.value, action=step)
            self._check_content(unit, release)
            return self._take(unit, release, step=step, digest=digest, principal=principal)

        return _or_raise(await self._write(work, "release-step"))

    async def override(self, release_id: str, *, kind: str, digest: str, reason: str, principal: Principal) -> Release:
        """Release in an emergency without the missing steps; needs a right of its own and a reason."""
        principal.require("ops.release_override", kind)

        def work(unit: Unit) -> Release | TrunklineError:
            release = _get(unit.connection, release_id, kind)
            if self._lapse(unit, release):
                return ReleaseStateError(id=release.id, state=ReleaseState.EXPIRED.value, action="override")
            self._check_content(unit, release)
            state = follow(release, Action.OVERRIDE)
            if release.digest != digest:
                raise ReleaseDigestError(id=release.id)
            missing = release.steps[len(release.given) :]
            details = {"id": release.id, "reason": reason, "missing": list(missing), "digest": digest}
            self._audit.record(unit, principal, "ops.release_override", kind, "done", details)
            told = ReleaseOverridden(**_says(release, principal), reason=reason, steps_missing=missing)
            _emit(unit, release, told)
            return self._end(unit, replace(release, state=state, reason=reason, overridden=True), principal)

        return _or_raise(await self._write(work, "release-override"))

    async def reject(self, release_id: str, *, kind: str, reason: str, principal: Principal) -> Release:
        """Send it back with a reason; who may take the next step may reject it."""

        def work(unit: Unit) -> Release:
            release = _get(unit.connection, release_id, kind)
            state = follow(release, Action.REJECT)
            principal.require(f"ops.release_{release.next_step}", kind)
            _emit(unit, release, ReleaseRejected(**_says(release, principal), reason=reason))
            return self._end(unit, replace(release, state=state, reason=reason), principal)

        return await self._write(work, "release-reject")

    async def withdraw(self, release_id: str, *, kind: str, reason: str, principal: Principal) -> Release:
        """Give it up: its maker may, and whoever has the right ``ops.release_override``."""

        def work(unit: Unit) -> Release:
            release = _get(unit.connection, release_id, kind)
            if release.made_by != str(principal):
                principal.require("ops.release_override", kind)
            state = follow(release, Action.WITHDRAW)
            _emit(unit, release, ReleaseWithdrawn(**_says(release, principal), reason=reason))
            return self._end(unit, replace(release, state=state, reason=reason), principal)

        return await self._write(work, "release-withdraw")

    async def change(
        self, release_id: str, *, kind: str, digest: str, principal: Principal, exercise: bool | None = None
    ) -> Release:
        """Say that the content is another one now: the steps given count no more, and this is its new ``make``."""
        principal.require("ops.release_make", kind)

        def work(unit: Unit) -> Release | TrunklineError:
            release = _get(unit.connection, release_id, kind)
            if self._lapse(unit, release):
                return ReleaseStateError(id=release.id, state=ReleaseState.EXPIRED.value, action="change")
            return self.change_in(unit, release, digest=digest, principal=principal, exercise=exercise)

        return _or_raise(await self._write(work, "release-change"))

    def find_in(self, unit: Unit, kind: str, subject: str) -> Release | None:
        """Return the request for a thing that is on its way, within the unit of the feature."""
        found = repository.of_subject(unit.connection, kind, subject)
        return found[0] if found else None

    def change_in(
        self, unit: Unit, release: Release, *, digest: str, principal: Principal, exercise: bool | None = None
    ) -> Release:
        """Do what :meth:`change` does within the unit in which the feature changes the content."""
        marked = release.exercise if exercise is None else exercise
        if digest == release.digest and marked == release.exercise and release.state is ReleaseState.PENDING:
            return release
        follow(release, Action.CHANGE)
        repository.change(unit.connection, release.id, digest=digest, exercise=marked)
        now = _get(unit.connection, release.id, release.kind)
        told = ReleaseChanged(**_says(now, principal), before=release.digest, steps_lost=len(release.given))
        _emit(unit, now, told)
        return self._take(unit, now, step="make", digest=digest, principal=principal)

    async def get(self, release_id: str) -> Release:
        """Return one request."""
        return await self._store.read(lambda connection: _get(connection, release_id, None))

    async def page(self, *, kind: str | None = None, before: datetime | None = None, limit: int = 100) -> list[Release]:
        """Return requests, the latest made first."""
        return await self._store.read(
            lambda connection: repository.page(connection, kind=kind, before=before, limit=limit)
        )

    async def expire(self) -> datetime | None:
        """End the requests whose time is over; return when the next one lapses."""

        def work(unit: Unit) -> datetime | None:
            for release in repository.living(unit.connection, limit=LAPSED_BATCH, lapsed_at=unit.now):
                self._lapse(unit, release)
            first = repository.living(unit.connection, limit=1)
            return first[0].not_after if first else None

        return await self._write(work, "release-expire")

    async def show(self) -> None:
        """Put what is on its way on the board."""
        living = await self._store.read(lambda connection: repository.living(connection, limit=BOARD_LIMIT + 1))
        lines = tuple(
            ReleaseLine(
                id=release.id,
                kind=release.kind,
                title=release.title[:100],
                exercise=release.exercise,
                state=release.state.value,
                next_step=release.next_step,
                made_by=release.made_by,
                not_after=release.not_after,
            )
            for release in living[:BOARD_LIMIT]
        )
        self._board.put("ops", "releases", ReleaseBoard(releases=lines, more=len(living) > BOARD_LIMIT))

    async def _write(self, work: Callable[[Unit], T], name: str) -> T:
        done = await self._store.write(work, name=name)
        self.wake()
        return done

    def _check_content(self, unit: Unit, release: Release) -> None:
        releasable = self._kinds.get(release.kind)
        if releasable is None:
            return
        found = releasable.digest(unit.connection, release.subject)
        if found is None:
            raise NotFoundError(what=release.kind, name=release.subject)
        if found != release.digest:
            raise ConflictError(what=f"{release.kind} {release.subject}", reason="its content was changed unsaid")

    def _take(self, unit: Unit, release: Release, *, step: str, digest: str, principal: Principal) -> Release:
        action = check_step(release, step=step, by=str(principal), digest=digest)
        given = Given(step=step, by=str(principal), at=unit.now, digest=digest)
        repository.take(unit.connection, release, given)
        after = replace(release, given=(*release.given, given), state=follow(release, action))
        taken = ReleaseStepTaken(**_says(after, principal), step=step, next_step=after.next_step)
        _emit(unit, after, taken)
        return self._end(unit, after, principal) if action is Action.LAST_STEP else after

    def _end(self, unit: Unit, release: Release, principal: Principal) -> Release:
        ended = replace(release, ended_at=unit.now, ended_by=str(principal))
        repository.end(unit.connection, ended)
        if ended.state is ReleaseState.RELEASED:
            _emit(unit, ended, Released(**_says(ended, principal), overridden=ended.overridden))
            releasable = self._kinds.get(ended.kind)
            if releasable is not None:
                releasable.released(unit, ended)
        return ended

    def _lapse(self, unit: Unit, release: Release) -> bool:
        # Returned and not raised, because an exception would take the lapsing itself back.
        if (release.state, Action.EXPIRE) not in TRANSITIONS or unit.now < release.not_after:
            return False
        _emit(unit, release, ReleaseExpired(**_says(release, SYSTEM)))
        self._end(unit, replace(release, state=follow(release, Action.EXPIRE)), SYSTEM)
        return True


def _or_raise(result: Release | TrunklineError) -> Release:
    if isinstance(result, TrunklineError):
        raise result
    return result


def _get(connection: sa.Connection, release_id: str, kind: str | None) -> Release:
    release = repository.find(connection, release_id)
    if release is None or kind not in {None, release.kind}:
        raise NotFoundError(what="release", name=release_id)
    return release


def _says(release: Release, principal: Principal) -> dict[str, Any]:
    return {
        "id": release.id,
        "kind": release.kind,
        "subject": release.subject,
        "digest": release.digest,
        "exercise": release.exercise,
        "by": str(principal),
    }


def _emit(unit: Unit, release: Release, event: Event) -> None:
    aggregate = f"release:{release.id}"
    unit.emit(Happening(event=event, resource="releases", aggregate=aggregate, incident=release.incident))
