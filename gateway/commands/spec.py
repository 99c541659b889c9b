"""How a feature declares what can be done."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from gateway.core.events import DOMAINS, Message
from gateway.core.text import Text
from gateway.principals.model import Principal

B = TypeVar("B", bound=Message)
R = TypeVar("R", bound=Message)

_NAME = re.compile(rf"({'|'.join(DOMAINS)})\.[a-z0-9_-]{{1,32}}")


class CommandContext(Protocol):
    """What a handler knows of the command that it carries out."""

    @property
    def command_id(self) -> str:
        """The idempotency key."""
        ...

    @property
    def principal(self) -> Principal:
        """Who asked for it."""
        ...

    @property
    def expires_at(self) -> datetime:
        """The time after which it must not take effect any more, UTC."""
        ...

    @property
    def incident(self) -> str | None:
        """The incident that it belongs to."""
        ...

    async def begin_side_effect(self) -> None:
        """Write down that the outside is about to be touched; call it exactly once, just before.

        Checks the deadline again (raises ``CommandExpiredError``), and makes the ledger row ``in_progress``: from here
        on a crash leaves the command ``unknown``, and it is never carried out a second time.
        """
        ...


@dataclass(frozen=True, slots=True)
class CommandSpec(Generic[B, R]):
    """One command: ``name`` is ``<domain>.<verb>``, also the right that it needs.

    ``body`` is decoded strictly (unknown fields are refused). ``resource`` tells which resource a body is about, for
    rights and audit. ``max_ttl_s`` bounds the time-to-live that a caller may ask for; ``default_ttl_s`` stands when
    HTTP or the command line gives none (the bus must give one). ``secrets`` names the fields of the body or the result
    that hold a secret: such a command is refused on the bus, its body is never written down, and what is kept of its
    result has these fields set to null, so that only who asked first sees them, once.
    """

    name: str
    body: type[B]
    result: type[R]
    summary: Text
    resource: Callable[[B], str] = lambda _: "*"
    max_ttl_s: float = 300.0
    default_ttl_s: float = 30.0
    secrets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            raise ValueError(f"not a command name: {self.name!r}")

    @property
    def domain(self) -> str:
        """The part before the dot."""
        return self.name.partition(".")[0]

    @property
    def verb(self) -> str:
        """The part after the dot."""
        return self.name.partition(".")[2]


@dataclass(frozen=True, slots=True)
class BoundCommand(Generic[B, R]):
    """A command together with the service method that carries it out."""

    spec: CommandSpec[B, R]
    handler: Callable[[B, CommandContext], Awaitable[R]]
