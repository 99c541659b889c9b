"""Errors of the HTTP host itself."""

from gateway.core.errors import Kind, TrunklineError
from gateway.core.text import Text


class HttpError(TrunklineError):
    """The request cannot be served as it was sent. ``status`` overrides the status of its kind."""

    kind = Kind.USAGE
    status: int = 400

    action = Text("Correct the request.", "请更正请求。")


class BadRequestError(HttpError):
    """The request is not understood."""

    code = "web.bad_request"
    cause = Text("The request cannot be read: {reason}.", "无法读取请求：{reason}。")


class RouteNotFoundError(HttpError):
    """There is nothing at this address."""

    code = "web.not_found"
    kind = Kind.NOT_FOUND
    status = 404
    cause = Text("There is nothing at this address.", "此地址没有内容。")
    action = Text("See /api/v1/openapi.json for what there is.", "可用的地址见 /api/v1/openapi.json。")


class MethodNotAllowedError(HttpError):
    """The address is right, the method is not."""

    code = "web.method_not_allowed"
    status = 405
    cause = Text("The method {method} is not allowed here.", "此地址不允许使用 {method} 方法。")
    action = Text("Use one of the methods in the Allow header.", "请使用 Allow 头中列出的方法。")


class BodyTooLargeError(HttpError):
    """The body is larger than the route takes."""

    code = "web.body_too_large"
    status = 413
    cause = Text("The request body is too large.", "请求内容过大。")
    action = Text("Send less at a time.", "请减少一次提交的内容。")


class HostNotAllowedError(HttpError):
    """The name by which the gateway was reached is not one of its own (DNS rebinding)."""

    code = "web.host_not_allowed"
    status = 421
    cause = Text("This gateway does not answer to that host name.", "本网关不响应该主机名。")
    action = Text(
        "Use its own name, or add the name to web.allowed_hosts.", "请使用正确的主机名，或将其加入 web.allowed_hosts。"
    )


class CrossOriginError(HttpError):
    """Another site's page sent the request."""

    code = "web.cross_origin"
    kind = Kind.REFUSED
    status = 403
    cause = Text("The request comes from another site.", "请求来自其他站点。")
    action = Text("Use the gateway's own console.", "请使用网关自身的控制台。")


class CsrfError(HttpError):
    """The request has a session cookie but not the proof that the console itself sent it."""

    code = "web.csrf"
    kind = Kind.REFUSED
    status = 403
    cause = Text("The X-CSRF-Token header is missing or wrong.", "X-CSRF-Token 头缺失或不正确。")
    action = Text("Read it from GET /api/v1/session and send it.", "请从 GET /api/v1/session 读取并随请求发送。")


class SignInRequiredError(TrunklineError):
    """Nobody is signed in."""

    code = "auth.sign_in_required"
    kind = Kind.UNAUTHENTICATED
    cause = Text("Nobody is signed in.", "尚未登录。")
    action = Text("Sign in, or send an application's token.", "请登录，或发送应用令牌。")


class StreamLimitError(TrunklineError):
    """As many live streams are open as may be."""

    code = "web.stream_limit"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("{limit} live streams are open already.", "已打开 {limit} 个实时流。")
    action = Text("Close one, or raise web.stream_max.", "请关闭其中之一，或调高 web.stream_max。")


class ListenError(TrunklineError):
    """A listener cannot be opened."""

    code = "web.listen"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("Cannot listen on {address}: {reason}.", "无法监听 {address}：{reason}。")
    action = Text(
        "Stop the program that uses it, or set another web.host and web.port.",
        "请停止占用该地址的程序，或更改 web.host 和 web.port。",
    )
