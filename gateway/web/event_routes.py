"""Live events, and the journal for those who missed some."""

from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Any

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter
from litestar.response import Stream
from litestar.types import ASGIApp

from gateway.core.errors import InvalidInputError
from gateway.core.events import DOMAINS, parse_type
from gateway.principals.model import Principal
from gateway.store.unit import StoredEvent
from gateway.web.auth import Doorkeeper
from gateway.web.live import PAGE, LiveHub, StreamAnswer, Wanted
from gateway.web.ports import Journal

FromSeq = Annotated[int | None, QueryParameter(name="from_seq", ge=0, description="First sequence number wanted.")]
Domains = Annotated[list[str] | None, QueryParameter(name="domain", description="Only these domains.", max_items=8)]
Types = Annotated[
    list[str] | None,
    QueryParameter(name="type", description="Only these event types, with their version.", max_items=64),
]


def event_routes(hub: LiveHub, journal: Journal, doorkeeper: Doorkeeper) -> list[HTTPRouteHandler]:
    """Return the handlers of ``/api/v1/events`` and ``/api/v1/journal``."""

    @get("/api/v1/events", tags=["events"], media_type="text/event-stream")
    async def live_events(
        request: Request[Any, Any, Any],
        principal: NamedDependency[Principal],
        from_seq: FromSeq = None,
        domain: Domains = None,
        type_: Types = None,
    ) -> ASGIApp:
        """Follow what happens, as server-sent events: a snapshot, what the journal holds from there on, then live.

        ``Last-Event-ID`` (sent by the browser when it resumes) goes before ``from_seq``.
        """
        after = None if from_seq is None else max(from_seq - 1, 0)
        last_id = request.headers.get("last-event-id", "")
        if last_id:
            if not (last_id.isascii() and last_id.isdigit() and len(last_id) <= 19):
                raise InvalidInputError(field="Last-Event-ID", reason="not a sequence number")
            after = int(last_id)

        async def still_welcome() -> bool:
            return await doorkeeper.still_welcome(request)

        return StreamAnswer(hub, _wanted(hub, principal, domain, type_), after=after, still_welcome=still_welcome)

    @get("/api/v1/journal", tags=["events"], media_type="application/x-ndjson")
    async def read_journal(
        principal: NamedDependency[Principal],
        from_seq: FromSeq = None,
        limit: Annotated[int | None, QueryParameter(ge=1, le=1_000_000, description="At most so many events.")] = None,
        domain: Domains = None,
        type_: Types = None,
    ) -> Stream:
        """Read what happened: one CloudEvents envelope a line, from ``from_seq`` up to the last one durable by now."""
        wanted = _wanted(hub, principal, domain, type_)
        after = max((from_seq or 1) - 1, 0)
        return Stream(
            _lines(journal, wanted.event, after=after, last=hub.last_seq, limit=limit),
            media_type="application/x-ndjson",
        )

    return [live_events, read_journal]


async def _lines(
    journal: Journal, carried: Callable[[StoredEvent], bool], *, after: int, last: int, limit: int | None
) -> AsyncGenerator[bytes, None]:
    left = limit
    while after < last and left != 0:
        rows = await journal.events_after(after, limit=PAGE)
        chosen = [row for row in rows if row.seq <= last and carried(row)][:left]
        if chosen:
            yield b"".join(row.payload + b"\n" for row in chosen)
        if left is not None:
            left -= len(chosen)
        if len(rows) < PAGE:
            return
        after = rows[-1].seq


def _wanted(hub: LiveHub, principal: Principal, domains: list[str] | None, types: list[str] | None) -> Wanted:
    names = frozenset(domains or ())
    if not names.issubset(DOMAINS):
        raise InvalidInputError(field="domain", reason=f"one of {', '.join(DOMAINS)}")
    return Wanted(principal, names, frozenset(_unversioned(each) for each in types or ()), hub.sensitive)


def _unversioned(event_type: str) -> str:
    try:
        domain, name, _ = parse_type(event_type)
    except ValueError as error:
        raise InvalidInputError(field="type", reason="such as tel.call_started.v1") from error
    return f"{domain}.{name}"
