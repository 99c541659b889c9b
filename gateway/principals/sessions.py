"""Sign-in and sessions of operators."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from gateway.core.clock import Clock
from gateway.core.ids import is_level
from gateway.principals import repository
from gateway.principals.audit import AuditBudget, AuditTrail
from gateway.principals.errors import SessionEndedError, SignInRefusedError
from gateway.principals.model import Principal
from gateway.principals.options import PrincipalsOptions
from gateway.principals.passwords import PasswordHasher
from gateway.principals.repository import OperatorRow, SessionRow, SignInFailureRow
from gateway.store.unit import Store, Unit

_RENEWED_AFTER = 0.05  # of the idle time: a busy page does not write at each request


@dataclass(frozen=True, slots=True, repr=False)
class Session:
    """A sign-in. ``token`` is the secret of the cookie; ``expires_at`` moves on with use."""

    token: str
    principal: Principal
    expires_at: datetime

    def __repr__(self) -> str:
        return f"Session({self.principal}, {self.expires_at})"


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A sign-in whose password has been looked at. ``digest`` is the one to keep, ``None`` when it did not fit."""

    name: str
    source: str
    kept: str
    digest: str | None
    token: str
    left_out: int | None


class SessionService:
    """Begins, renews and ends sessions."""

    def __init__(
        self, store: Store, clock: Clock, options: PrincipalsOptions, audit: AuditTrail, hasher: PasswordHasher
    ) -> None:
        self._store = store
        self._clock = clock
        self._options = options
        self._audit = audit
        self._hasher = hasher
        self._budget = AuditBudget(clock)

    async def sign_in(self, name: str, password: str, *, source: str = "") -> Session:
        """Check a password and begin a session; *source* is where the request came from (an address).

        Whatever is wrong, the answer is the same and takes the same work. After ``lockout_failures`` in a row the name
        is refused from that *source* for ``lockout_s``, the right password too; from elsewhere it is not, so that
        nobody can lock an operator out of the duty room.
        """
        place = source[:64]
        # What cannot be a name is not looked up: some databases refuse some characters.
        kept = (
            await self._store.read(lambda connection: repository.password(connection, name)) if is_level(name) else None
        )
        digest = await self._hasher.verify(kept, password)
        # The bound on audit rows is by place: a name that does not exist must not get a bucket of its own.
        left_out = self._budget.take(place) if digest is None else 0
        attempt = _Attempt(name, place, kept or "", digest, secrets.token_urlsafe(32), left_out)
        begin = self._refuse_unknown if kept is None else self._decide
        session = await self._store.write(lambda unit: begin(unit, attempt), name="session.begin")
        if session is None:
            raise SignInRefusedError
        return session

    async def sign_out(self, token: str) -> None:
        """End a session; one that is not there is no error."""
        digest = repository.token_digest(token)

        def work(unit: Unit) -> None:
            found = sa.select(SessionRow.operator).where(SessionRow.token == digest)
            name = unit.connection.execute(found).scalar_one_or_none()
            if name is not None:
                unit.connection.execute(sa.delete(SessionRow).where(SessionRow.token == digest))
                self._audit.record(unit, f"operator:{name}", "sys.sign_out", name, "done")

        await self._store.write(work, name="session.end")

    async def resolve(self, token: str) -> Principal:
        """Return who holds the session *token*, and let it live on. Raises :class:`SessionEndedError`."""
        digest = repository.token_digest(token)
        now = self._clock.wall()

        def query(connection: sa.Connection) -> tuple[Principal, datetime, datetime] | None:
            row = connection.execute(
                sa.select(SessionRow.operator, SessionRow.created_at, SessionRow.expires_at)
                .join(OperatorRow, OperatorRow.name == SessionRow.operator)
                .where(SessionRow.token == digest, OperatorRow.disabled.is_(False))
            ).one_or_none()
            if row is None or row.expires_at <= now:
                return None
            return repository.operator_principal(connection, row.operator), row.created_at, row.expires_at

        found = await self._store.read(query)
        if found is None:
            raise SessionEndedError
        principal, created_at, expires_at = found
        renewed = self._end(created_at, now)
        if (renewed - expires_at).total_seconds() > self._options.session_idle_s * _RENEWED_AFTER:
            change = sa.update(SessionRow).where(SessionRow.token == digest).values(expires_at=renewed)
            await self._store.write(lambda unit: unit.connection.execute(change).rowcount, name="session.renew")
        return principal

    def _refuse_unknown(self, unit: Unit, attempt: _Attempt) -> Session | None:
        # The name is not written down: people type passwords into the field of the name.
        if attempt.left_out is not None:
            details = {"source": attempt.source, "refusals_left_out": attempt.left_out}
            self._audit.record(unit, "unknown", "sys.sign_in", "*", "refused", details)
        return None

    def _decide(self, unit: Unit, attempt: _Attempt) -> Session | None:
        # Decided on the writer, one attempt after the other: guesses made side by side all count.
        connection, name = unit.connection, attempt.name
        operator = repository.operators(connection, name)[0]
        mine = (SignInFailureRow.operator == name, SignInFailureRow.source == attempt.source)
        row = connection.execute(sa.select(SignInFailureRow.failures, SignInFailureRow.last_at).where(*mine)).first()
        over = row is None or (unit.now - row.last_at).total_seconds() >= self._options.lockout_s
        failures = 0 if row is None or over else row.failures
        locked = failures >= self._options.lockout_failures
        changed = repository.password(connection, name) != attempt.kept
        if locked or changed or attempt.digest is None or operator.disabled:
            if not locked:
                # Also those of other places that are over: a stranger with many addresses must not fill the table.
                past = unit.now - timedelta(seconds=self._options.lockout_s)
                connection.execute(
                    sa.delete(SignInFailureRow).where(sa.or_(sa.and_(*mine), SignInFailureRow.last_at <= past))
                )
                failure = {"operator": name, "source": attempt.source, "failures": failures + 1, "last_at": unit.now}
                connection.execute(sa.insert(SignInFailureRow).values(**failure))
            if attempt.left_out is not None:
                details = {"source": attempt.source, "locked": locked, "refusals_left_out": attempt.left_out}
                self._audit.record(unit, f"operator:{name}", "sys.sign_in", name, "refused", details)
            return None
        connection.execute(sa.delete(SignInFailureRow).where(*mine))
        if attempt.digest != attempt.kept:
            change = sa.update(OperatorRow).where(OperatorRow.name == name).values(password=attempt.digest)
            connection.execute(change)
        return self._begin(unit, attempt)

    def _begin(self, unit: Unit, attempt: _Attempt) -> Session:
        connection, name = unit.connection, attempt.name
        expires_at = self._end(unit.now, unit.now)
        row = {"operator": name, "created_at": unit.now, "expires_at": expires_at}
        connection.execute(sa.delete(SessionRow).where(SessionRow.expires_at <= unit.now))
        connection.execute(sa.insert(SessionRow).values(token=repository.token_digest(attempt.token), **row))
        newest = sa.select(SessionRow.token).where(SessionRow.operator == name).order_by(SessionRow.created_at.desc())
        surplus = list(connection.execute(newest).scalars())[self._options.sessions_per_operator :]
        connection.execute(sa.delete(SessionRow).where(SessionRow.token.in_(surplus)))
        self._audit.record(unit, f"operator:{name}", "sys.sign_in", name, "done", {"source": attempt.source})
        return Session(attempt.token, repository.operator_principal(connection, name), expires_at)

    def _end(self, created_at: datetime, now: datetime) -> datetime:
        return min(
            now + timedelta(seconds=self._options.session_idle_s),
            created_at + timedelta(seconds=self._options.session_longest_s),
        )
