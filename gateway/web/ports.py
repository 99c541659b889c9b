"""What the HTTP host needs of the parts below it."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from gateway.commands.spec import CommandSpec
from gateway.principals.model import Principal
from gateway.store.unit import StoredEvent


class Session(Protocol):
    """A sign-in."""

    @property
    def token(self) -> str:
        """The secret of the cookie."""
        ...

    @property
    def principal(self) -> Principal:
        """Who signed in."""
        ...

    @property
    def expires_at(self) -> datetime:
        """When it ends at the latest, UTC."""
        ...


class Authenticator(Protocol):
    """Tells who somebody is. Every method that fails raises a ``TrunklineError`` of kind UNAUTHENTICATED."""

    async def sign_in(self, name: str, password: str, *, source: str = "") -> Session:
        """Check a password and begin a session. Guessing is slowed and locked out by name and *source*."""
        ...

    async def sign_out(self, token: str) -> None:
        """End a session; one that is not there is no error."""
        ...

    async def resolve_session(self, token: str) -> Principal:
        """Return who holds the session *token*."""
        ...

    async def resolve_application(self, name: str, secret: str) -> Principal:
        """Return the application that *name* and *secret* belong to."""
        ...

    async def local(self, uid: int, user: str = "") -> Principal:
        """Return the principal of a user of this machine, whose identity the kernel vouches for."""
        ...


class Journal(Protocol):
    """The events of the site, as :class:`gateway.store.unit.Store` keeps them."""

    async def events_after(self, seq: int, *, limit: int = 500) -> Sequence[StoredEvent]:
        """Return up to *limit* events above *seq*, in order."""
        ...

    def listen(self, listener: Callable[[StoredEvent], None]) -> Callable[[], None]:
        """Call *listener* on the event loop for every event once it is durable, in order."""
        ...


class Answer(Protocol):
    """How far a command has come."""

    @property
    def command_id(self) -> str | None:
        """The idempotency key; ``None`` only on the bus, for a command that could not be read."""
        ...

    @property
    def name(self) -> str:
        """``<domain>.<verb>``."""
        ...

    @property
    def state(self) -> str:
        """``accepted``, ``in_progress``, or one that is final."""
        ...

    @property
    def final(self) -> bool:
        """Whether the state will not change any more."""
        ...

    @property
    def result(self) -> bytes | None:
        """The result as JSON, once it succeeded."""
        ...

    @property
    def error(self) -> dict[str, Any] | None:
        """What went wrong, as ``TrunklineError.as_dict`` tells it, with ``title_zh`` and ``detail_zh``."""
        ...


class Dispatcher(Protocol):
    """Carries out commands, each at most once."""

    def specs(self) -> Iterable[CommandSpec[Any, Any]]:
        """Return every command that there is."""
        ...

    async def submit(
        self,
        principal: Principal,
        name: str,
        data: bytes,
        *,
        command_id: str,
        ttl_s: float | None,
        incident: str | None,
        traceparent: str | None = None,
    ) -> Answer:
        """Take a command; raises when it is rejected. The same id with the same body is answered, not done again."""
        ...

    async def answer(self, principal: Principal, command_id: str, *, wait_s: float = 0.0) -> Answer:
        """Return how far a command of *principal* is, waiting up to *wait_s* for its end; raises ``NotFoundError``."""
        ...
