"""Who a request comes from, and the sign-in.

The local socket's peer is known by the kernel, an application by its token (``Authorization: Bearer app:secret``), an
operator by the session cookie. Every route needs one of them unless its handler carries ``opt={"public": True}``; a
handler that wants to know declares ``principal: Principal`` among its arguments.
"""

import asyncio
import hmac
import pwd
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Response, delete, get, post
from litestar.connection import ASGIConnection, Request
from litestar.datastructures import Cookie
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.params import JSONBody
from litestar.types import Scope

from gateway.core.errors import Kind, TrunklineError
from gateway.core.events import Message
from gateway.principals.model import Principal
from gateway.web.errors import CsrfError, SignInRequiredError
from gateway.web.gate import SAFE_METHODS
from gateway.web.options import WebOptions
from gateway.web.ports import Authenticator
from gateway.web.problems import header
from gateway.web.protocol import peer_of

CSRF_HEADER = "X-CSRF-Token"
_IDENTITY = "trunkline.identity"


class SignIn(Message, frozen=True, forbid_unknown_fields=True):
    """Name and password of an operator."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class GrantedRight(Message, frozen=True):
    """A verb on a resource, both as shell patterns."""

    verb: str
    resource: str


class SignedIn(Message, frozen=True):
    """Who is signed in, what that person may do, and the value for the ``X-CSRF-Token`` header."""

    kind: str
    name: str
    display_name: str
    rights: list[GrantedRight]
    csrf: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a request comes from; ``session`` is the cookie's secret when it came by cookie."""

    principal: Principal
    session: str = ""


class Doorkeeper:
    """Finds out who a request comes from."""

    def __init__(self, authenticator: Authenticator, options: WebOptions) -> None:
        self._authenticator = authenticator
        self._secure = options.secure
        # The prefix makes the browser refuse the cookie from anywhere else than this very host (RFC 6265bis, 4.1.3.2).
        self.cookie_name = "__Host-trunkline" if options.secure else "trunkline-session"

    async def guard(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        """Let nobody in unnamed, except to what is public."""
        if handler.opt.get("public"):
            return
        identity = await self.identify(connection)
        if identity.session and connection.scope.get("method", "GET") not in SAFE_METHODS:
            sent = connection.headers.get(CSRF_HEADER, "")
            if not hmac.compare_digest(sent.encode(), csrf_token(identity.session).encode()):
                raise CsrfError
        connection.scope["state"][_IDENTITY] = identity

    async def identify(self, connection: ASGIConnection[Any, Any, Any, Any]) -> Identity:
        """Return who is asking; raises an error of kind UNAUTHENTICATED."""
        peer = peer_of(connection.scope)
        if peer is not None:
            return Identity(await self._authenticator.local(peer.uid, await asyncio.to_thread(_user_name, peer.uid)))
        authorization = header(connection.scope, b"authorization")
        if authorization:
            scheme, _, credentials = authorization.partition(" ")
            name, colon, secret = credentials.strip().partition(":")
            if scheme.lower() != "bearer" or not colon:
                raise SignInRequiredError
            return Identity(await self._authenticator.resolve_application(name, secret))
        session = connection.cookies.get(self.cookie_name, "")
        if not session:
            raise SignInRequiredError
        return Identity(await self._authenticator.resolve_session(session), session)

    async def still_welcome(self, connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
        """Tell whether the identity of a long answer still stands: the session may have ended, the token be revoked.

        When that cannot be found out for now, it stands: an outage of the store must not darken every board.
        """
        try:
            await self.identify(connection)
        except TrunklineError as error:
            return error.kind is not Kind.UNAUTHENTICATED
        return True

    def cookie(self, token: str, *, max_age_s: int | None = None) -> Cookie:
        """Return the session cookie; an empty *token* deletes it."""
        return Cookie(
            key=self.cookie_name,
            value=token,
            path="/",
            max_age=max_age_s if token else 0,
            httponly=True,
            secure=self._secure,
            samesite="strict",
        )


def csrf_token(session: str) -> str:
    """Derive the console's proof from the session, so that nothing more has to be kept."""
    return hmac.digest(session.encode(), b"trunkline csrf v1", "sha256").hex()


async def provide_principal(scope: Scope) -> Principal:
    """Give a handler that declares ``principal`` the one that its guard found."""
    identity = scope["state"].get(_IDENTITY)
    if not isinstance(identity, Identity):
        raise SignInRequiredError
    return identity.principal


PRINCIPAL = Provide(provide_principal)


def session_routes(authenticator: Authenticator, doorkeeper: Doorkeeper) -> list[HTTPRouteHandler]:
    """Return the handlers of ``/api/v1/session``."""

    @post("/api/v1/session", opt={"public": True}, status_code=200, tags=["session"])
    async def sign_in(data: JSONBody[SignIn], request: Request[Any, Any, Any]) -> Response[SignedIn]:
        """Sign in with name and password: sets the session cookie."""
        client = request.client
        session = await authenticator.sign_in(data.name, data.password, source=client.host if client else "local")
        body = _signed_in(session.principal, session.token, session.expires_at)
        return Response(body, cookies=[doorkeeper.cookie(session.token)])

    @get("/api/v1/session", tags=["session"])
    async def who_am_i(scope: Scope) -> SignedIn:
        """Tell who is signed in."""
        identity: Identity = scope["state"][_IDENTITY]
        return _signed_in(identity.principal, identity.session, None)

    @delete("/api/v1/session", status_code=204, tags=["session"])
    async def sign_out(scope: Scope) -> Response[None]:
        """End the session."""
        identity: Identity = scope["state"][_IDENTITY]
        if identity.session:
            await authenticator.sign_out(identity.session)
        return Response(None, status_code=204, cookies=[doorkeeper.cookie("")])

    return [sign_in, who_am_i, sign_out]


def _signed_in(principal: Principal, session: str, expires_at: datetime | None) -> SignedIn:
    return SignedIn(
        kind=principal.kind,
        name=principal.name,
        display_name=principal.display_name or principal.name,
        rights=[GrantedRight(verb=right.verb, resource=right.resource) for right in principal.rights],
        csrf=csrf_token(session) if session else "",
        expires_at=expires_at,
    )


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
