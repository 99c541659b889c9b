"""What every request passes first: its id, the host it asked for, the site it came from; and the headers of answers."""

import re
from collections.abc import Iterable

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from gateway.core.errors import TrunklineError
from gateway.core.ids import new_id
from gateway.web.errors import BadRequestError, CrossOriginError, HostNotAllowedError
from gateway.web.options import LOOPBACK_NAMES, WebOptions
from gateway.web.problems import PROBLEM, header, problem, status_of
from gateway.web.protocol import peer_of

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

CONTENT_SECURITY_POLICY = "; ".join(  # noqa: FLY002  # one directive a line
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "media-src 'self' blob:",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.IGNORECASE)


class Gate:
    """An ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, options: WebOptions) -> None:
        self._app = app
        self._hosts = LOOPBACK_NAMES | {options.host.lower()} | {name.lower() for name in options.allowed_hosts}
        self._scheme = "https" if options.secure else "http"
        self._headers = _headers(secure=options.secure)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        request_id = new_id()
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", []))
                names = {name.lower() for name, _ in given}
                ours: Iterable[tuple[bytes, bytes]] = (*self._headers, (b"x-request-id", request_id.encode()))
                message["headers"] = [*given, *((name, value) for name, value in ours if name not in names)]
            await send(message)

        with structlog.contextvars.bound_contextvars(request=request_id):
            try:
                self._check(scope)
            except TrunklineError as error:
                await _refuse(scope, error, send_with_headers)
                return
            await self._app(scope, receive, send_with_headers)

    def _check(self, scope: HTTPScope) -> None:
        if peer_of(scope) is not None:
            return  # no browser can reach the local socket
        host = header(scope, b"host")
        match = _HOST.fullmatch(host)
        if match is None:
            raise BadRequestError(reason="no valid Host header")
        if match[1].strip("[]").lower() not in self._hosts:
            raise HostNotAllowedError
        if scope["method"] in SAFE_METHODS:
            return
        origin = header(scope, b"origin")
        if origin and origin.lower() != f"{self._scheme}://{host.lower()}":
            raise CrossOriginError
        if header(scope, b"sec-fetch-site") in ("cross-site", "same-site"):
            raise CrossOriginError


def _headers(*, secure: bool) -> tuple[tuple[bytes, bytes], ...]:
    headers = [
        (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=(self), payment=(), usb=()"),
        (b"cache-control", b"no-store"),
        (b"vary", b"Accept-Language"),
    ]
    if secure:
        headers.append((b"strict-transport-security", b"max-age=31536000"))
    return tuple(headers)


async def _refuse(scope: Scope, error: TrunklineError, send: Send) -> None:
    body = problem(error, scope)
    headers = [
        (b"content-type", PROBLEM.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status_of(error), "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
