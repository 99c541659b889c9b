"""The switchboard over HTTP: the calls of late, and its page. What it does is done by commands."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from gateway.core.events import Message
from gateway.core.page import Page
from gateway.core.text import Text
from gateway.directory.contact import ContactRef
from gateway.principals.model import Principal
from trunks.telephone.calls import Call
from trunks.telephone.service import TelephoneService

READ = "tel.call_read"
PAGE = Page(
    path="telephone",
    title=Text("Telephone", "电话"),
    module_path=Path(__file__).parent / "page" / "telephone.js",
    icon="telephone.svg",
)


class CallShown(Message, frozen=True, kw_only=True):
    """A call as it is kept."""

    id: str
    direction: str
    line: str
    caller: str
    called: str
    contact: ContactRef | None
    phone: str
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    cause: int | None
    recording: str
    recovered: bool


def routes(service: TelephoneService) -> list[HTTPRouteHandler]:
    """Return the handlers; the host mounts them and injects ``principal``."""

    @get("/calls", tags=["telephone"])
    async def calls(
        principal: NamedDependency[Principal],
        limit: Annotated[int, QueryParameter(ge=1, le=500, description="At most so many calls.")] = 100,
    ) -> list[CallShown]:
        """List the newest calls, the newest first."""
        principal.require(READ)
        return [_shown(call) for call in await service.latest(limit)]

    return [calls]


def _shown(call: Call) -> CallShown:
    return CallShown(
        id=call.id,
        direction=call.direction,
        line=call.line,
        caller=call.caller,
        called=call.called,
        contact=call.contact,
        phone=call.phone,
        started_at=call.started_at,
        answered_at=call.answered_at,
        ended_at=call.ended_at,
        cause=call.cause,
        recording=call.recording,
        recovered=call.recovered,
    )
