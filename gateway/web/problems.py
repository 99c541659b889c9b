"""Errors as answers: RFC 9457 problem details in the reader's language, never a trace."""

from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import Scope

from gateway.core.errors import InternalError, InvalidInputError, Kind, TrunklineError
from gateway.core.text import Language
from gateway.web.errors import (
    BadRequestError,
    BodyTooLargeError,
    HttpError,
    MethodNotAllowedError,
    RouteNotFoundError,
    SignInRequiredError,
)

log = structlog.get_logger(__name__)

PROBLEM = "application/problem+json"

_GONE = "client disconnected prematurely"
"""What Litestar says, as an error of the server, of a client that went away in the middle of its request."""


def language_of(accept_language: str) -> Language:
    """Return the language that ``Accept-Language`` (RFC 9110, 12.5.4) prefers; English when it names neither."""
    best: tuple[float, Language] = (0.0, "en")
    for item in accept_language.split(","):
        tag, _, parameters = item.strip().partition(";")
        primary = tag.strip().lower().partition("-")[0]
        language: Language
        if primary == "zh":
            language = "zh"
        elif primary in ("en", "*"):
            language = "en"
        else:
            continue
        quality = _quality(parameters)
        if quality > best[0]:
            best = (quality, language)
    return best[1]


def header(scope: Scope, name: bytes) -> str:
    """Return one header of a request, empty when it is not there."""
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("latin-1")
    return ""


def status_of(error: TrunklineError) -> int:
    """Return the HTTP status that carries *error*."""
    return error.status if isinstance(error, HttpError) else error.kind.http_status


def problem(error: TrunklineError, scope: Scope, **members: Any) -> bytes:
    """Return the body that tells *error*: the members of ``as_dict`` and those of RFC 9457.

    What caused a defect of the program, or a refusal, is not told outward: it is in the log.
    """
    body = error.as_dict(language_of(header(scope, b"accept-language")))
    if error.kind in (Kind.INTERNAL, Kind.UNAUTHENTICATED, Kind.REFUSED):
        body["cause"] = None
    body["type"] = f"urn:trunkline:error:{error.code}"
    body["status"] = status_of(error)
    body["instance"] = scope.get("state", {}).get("request_id", "")
    return msgspec.json.encode({**body, **members})


def answer_error(request: Request[Any, Any, Any], error: TrunklineError) -> Response[bytes]:
    """Answer with a known error."""
    status = status_of(error)
    if error.kind is Kind.INTERNAL:
        log.error("request failed", error=error.code, reason=error.message(), exc_info=error)
    headers = {"www-authenticate": 'Bearer realm="trunkline"'} if status == 401 else {}
    retry_after_s = error.fields.get("retry_after_s")
    if retry_after_s is not None:
        headers["retry-after"] = str(max(1, round(float(retry_after_s))))
    return Response(problem(error, request.scope), status_code=status, media_type=PROBLEM, headers=headers)


def answer_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer with an error that the web framework raised."""
    members: dict[str, Any] = {}
    known: TrunklineError
    if isinstance(error, ValidationException):
        faults = [_fault(each) for each in error.extra or [] if isinstance(each, dict)]
        first = faults[0] if faults else {"field": "body", "reason": error.detail}
        known = InvalidInputError(**first)
        members["errors"] = faults
    elif error.status_code == 401:
        known = SignInRequiredError()
    elif error.status_code == 404:
        known = RouteNotFoundError()
    elif error.status_code == 405:
        known = MethodNotAllowedError(method=request.method)
    elif error.status_code == 413:
        known = BodyTooLargeError()
    elif error.status_code < 500 or error.detail == _GONE:
        known = BadRequestError(reason=error.detail)
    else:
        return answer_crash(request, error)
    status = status_of(known)
    return Response(problem(known, request.scope, **members), status_code=status, media_type=PROBLEM)


def answer_crash(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer with a defect: the log has its trace, the answer only the request's id."""
    log.error("request crashed", route=request.scope.get("path_template", ""), exc_info=error)
    known = InternalError(what=request.scope.get("state", {}).get("request_id", "unknown"))
    return Response(problem(known, request.scope), status_code=500, media_type=PROBLEM)


def _fault(extra: dict[str, Any]) -> dict[str, str]:
    source = extra.get("source", "body")
    where = str(getattr(source, "value", source))
    key = str(extra.get("key", ""))
    return {"field": f"{where}.{key}" if key else where, "reason": str(extra.get("message", "")).rstrip(".")}


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0
