"""The board: the present state of every resource, as the bus retains it and the web page shows it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from gateway.core.events import Domain, Message
from gateway.core.ids import is_level

_DOMAINS = frozenset(get_args(Domain))


@dataclass(frozen=True, slots=True)
class Shown:
    """One resource's state. ``revision`` counts its changes within this start of the gateway, from 1."""

    domain: Domain
    resource: str
    revision: int
    state: Message


class Board:
    """Holds the latest state of each resource and tells listeners of every change, on the event loop.

    It is kept in memory only: services fill it from the store when they start, and the bus publishes all of it again at
    each connection, so that no stale state outlives its owner.
    """

    def __init__(self) -> None:
        self._shown: dict[tuple[Domain, str], Shown] = {}
        self._listeners: list[Callable[[Shown], None]] = []

    def put(self, domain: Domain, resource: str, state: Message) -> None:
        """Show *state*; a state equal to the one shown is no change."""
        if domain not in _DOMAINS or not is_level(resource):
            raise ValueError(f"not a resource: {domain}/{resource!r}")
        before = self._shown.get((domain, resource))
        if before is not None and before.state == state:
            return
        revision = 1 if before is None else before.revision + 1
        shown = Shown(domain=domain, resource=resource, revision=revision, state=state)
        self._shown[domain, resource] = shown
        for listener in self._listeners:
            listener(shown)

    def get(self, domain: Domain, resource: str) -> Shown | None:
        """Return what is shown of one resource."""
        return self._shown.get((domain, resource))

    def all(self) -> list[Shown]:
        """Return everything that is shown."""
        return list(self._shown.values())

    def listen(self, listener: Callable[[Shown], None]) -> Callable[[], None]:
        """Call *listener* at every change; the returned function ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)
