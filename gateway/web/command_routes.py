"""Commands over HTTP: the same ledger, deadlines and answers as on the bus."""

import re
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, HeaderParameter, QueryParameter

from gateway.core.errors import InvalidInputError
from gateway.core.events import Message
from gateway.core.ids import new_id
from gateway.core.text import Language
from gateway.principals.model import Principal
from gateway.web.ports import Answer, Dispatcher
from gateway.web.problems import language_of

LONGEST_WAIT_S = 60.0

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,6})\"?\s*(?:$|[,;])", re.IGNORECASE)


class CommandAnswer(Message, frozen=True):
    """How far a command has come: ``accepted``, ``in_progress``, or one of the final states.

    Final states: ``succeeded`` (with ``result``), ``failed``, ``expired``, ``rejected`` (with ``error``), and
    ``unknown``: whether it took effect cannot be told, and it is not tried again.
    """

    id: str
    name: str
    state: str
    result: msgspec.Raw | None = None
    error: dict[str, Any] | None = None


def command_routes(dispatcher: Dispatcher) -> list[HTTPRouteHandler]:
    """Return the handlers of ``/api/v1/commands``."""

    @post("/api/v1/commands/{name:str}", status_code=200, tags=["commands"])
    async def submit(
        *,
        request: Request[Any, Any, Any],
        principal: NamedDependency[Principal],
        name: FromPath[str],
        ttl_s: Annotated[
            float | None,
            QueryParameter(gt=0, le=86_400, description="Time-to-live in seconds, bounded by the command."),
        ] = None,
        incident: Annotated[
            str | None, QueryParameter(max_length=64, description="The incident that the command belongs to.")
        ] = None,
        idempotency_key: Annotated[
            str | None, HeaderParameter(name="Idempotency-Key", description="Made up and returned when it is missing.")
        ] = None,
        prefer: Annotated[
            str | None,
            HeaderParameter(name="Prefer", description="`wait=n`: wait up to n seconds for the final answer."),
        ] = None,
    ) -> Response[CommandAnswer]:
        """Carry out a command; answers 200 with the final state, or 202 while it goes on."""
        command_id = new_id() if idempotency_key is None else idempotency_key
        if _ID.fullmatch(command_id) is None:
            raise InvalidInputError(field="Idempotency-Key", reason="1 to 64 letters, digits, _ or -")
        wait_s = wait_of(prefer or "")
        answer = await dispatcher.submit(
            principal,
            name,
            await request.body(),
            command_id=command_id,
            ttl_s=ttl_s,
            incident=incident,
            traceparent=request.headers.get("traceparent"),
        )
        if wait_s and not answer.final:
            answer = await dispatcher.answer(principal, command_id, wait_s=wait_s)
        headers = {"idempotency-key": command_id}
        if wait_s:
            headers["preference-applied"] = f"wait={wait_s:g}"
        return _response(request, answer, headers)

    @get("/api/v1/commands/{command_id:str}", tags=["commands"])
    async def look_up(
        request: Request[Any, Any, Any],
        principal: NamedDependency[Principal],
        command_id: FromPath[str],
        prefer: Annotated[str | None, HeaderParameter(name="Prefer")] = None,
    ) -> Response[CommandAnswer]:
        """Tell how far a command of one's own has come."""
        return _response(request, await dispatcher.answer(principal, command_id, wait_s=wait_of(prefer or "")), {})

    return [submit, look_up]


def wait_of(prefer: str) -> float:
    """Return the seconds of ``Prefer: wait=n`` (RFC 7240, 4.3), bounded; 0 when it asks for no wait."""
    match = _WAIT.search(prefer)
    return 0.0 if match is None else min(float(match[1]), LONGEST_WAIT_S)


def _response(request: Request[Any, Any, Any], answer: Answer, headers: dict[str, str]) -> Response[CommandAnswer]:
    language = language_of(request.headers.get("accept-language", ""))
    body = CommandAnswer(
        id=answer.command_id or "",
        name=answer.name,
        state=answer.state,
        result=None if answer.result is None else msgspec.Raw(answer.result),
        error=None if answer.error is None else in_language(answer.error, language),
    )
    location = f"/api/v1/commands/{answer.command_id}"
    if answer.final:
        return Response(body, headers=headers)
    return Response(body, status_code=202, headers={**headers, "location": location, "retry-after": "1"})


def in_language(error: dict[str, Any], language: Language) -> dict[str, Any]:
    """Return an error of an answer with its texts in one language."""
    told = {key: value for key, value in error.items() if not key.endswith("_zh")}
    if language == "zh":
        told |= {key: error[f"{key}_zh"] for key in ("title", "detail") if error.get(f"{key}_zh")}
    return told
