"""Settings of the HTTP host."""

import ipaddress
from typing import Annotated, ClassVar

from msgspec import Meta

from gateway.core.options import Options, SettingsError
from gateway.core.text import Text

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class ListenBeyondLoopbackError(SettingsError):
    """Passwords would cross the network in clear."""

    code = "web.plain_http_beyond_loopback"
    cause = Text(
        "web.host is {host}, but no certificate is given: passwords would cross the network in clear.",
        "web.host 为 {host}，但未提供证书：口令将以明文在网络上传输。",
    )
    action = Text(
        "Give web.certificate_file and web.key_file, or set web.plain_http_beyond_loopback = true if you accept that.",
        "请设置 web.certificate_file 和 web.key_file；若接受此风险，请设置 web.plain_http_beyond_loopback = true。",
    )


class CertificateError(SettingsError):
    """The certificate or its key cannot be used."""

    code = "web.certificate"
    cause = Text("The certificate {file} cannot be used: {reason}.", "无法使用证书 {file}：{reason}。")
    action = Text(
        "Give a PEM certificate chain and its unencrypted private key, readable by the gateway only.",
        "请提供 PEM 证书链及其未加密的私钥，并仅允许网关读取。",
    )


Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]


class WebOptions(Options, frozen=True, kw_only=True):
    """The console and the HTTP interface."""

    SECTION: ClassVar[str] = "web"

    enabled: Annotated[bool, Meta(description="Serve the console over TCP. The local socket is always served.")] = True
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="TCP port; 0 takes any free one.")] = 8460
    certificate_file: Annotated[str, Meta(description="PEM certificate chain; empty serves plain HTTP.")] = ""
    key_file: Annotated[str, Meta(description="PEM private key of the certificate, mode 0600.")] = ""
    plain_http_beyond_loopback: Annotated[
        bool, Meta(description="Accept that passwords cross the network in clear when there is no certificate.")
    ] = False
    behind_tls_proxy: Annotated[
        bool,
        Meta(description="A reverse proxy on this machine ends TLS: cookies are Secure, origins are https."),
    ] = False
    allowed_hosts: Annotated[
        tuple[str, ...],
        Meta(description="Host names, without port, by which browsers may reach the console beside loopback."),
    ] = ()
    max_body_bytes: Annotated[Positive, Meta(description="Largest request body, unless a route allows more.")] = 1 << 20
    max_connections: Annotated[Positive, Meta(description="Connections at one time; more are answered 503.")] = 256
    stall_s: Annotated[
        Seconds, Meta(description="A client that neither sends its request nor takes its answer is cut off after this.")
    ] = 15.0
    stop_s: Annotated[Seconds, Meta(description="How long running answers may take when the gateway stops.")] = 3.0
    stream_max: Annotated[Positive, Meta(description="Live streams at one time.")] = 64
    stream_buffer: Annotated[
        Positive, Meta(description="Events that wait for one slow stream before it is closed to resume later.")
    ] = 2000
    heartbeat_s: Annotated[float, Meta(gt=0, le=1, description="How often a live stream says that it is alive.")] = 1.0

    @property
    def tls(self) -> bool:
        """Whether the listener itself speaks TLS."""
        return bool(self.certificate_file)

    @property
    def secure(self) -> bool:
        """Whether browsers reach the console over TLS."""
        return self.tls or self.behind_tls_proxy

    def check(self) -> None:
        """Raise :class:`ListenBeyondLoopbackError` when passwords would cross the network in clear."""
        if not self.tls and not self.plain_http_beyond_loopback and not _is_loopback(self.host):
            raise ListenBeyondLoopbackError(host=self.host)


def _is_loopback(host: str) -> bool:
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
