"""The listeners: TCP for browsers and programs, a unix socket for the command line. Each is an adapter of its own."""

import asyncio
import contextlib
import errno
import logging
import math
import os
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
import uvicorn
from litestar.types import ASGIApp

from gateway.core.supervisor import Reporter
from gateway.web.errors import ListenError
from gateway.web.live import LiveHub
from gateway.web.options import CertificateError, WebOptions
from gateway.web.protocol import patient

log = structlog.get_logger(__name__)

LARGEST_HEAD_BYTES = 32 << 10
KEEP_ALIVE_S = 15
SOCKET_MODE = 0o660


@dataclass(frozen=True, slots=True)
class _Served:
    options: WebOptions
    app: ASGIApp
    hub: LiveHub


class WebHost:
    """Serves the console over TCP, with TLS when there is a certificate."""

    def __init__(self, options: WebOptions, app: ASGIApp, hub: LiveHub) -> None:
        self._served = _Served(options, app, hub)
        self._address: tuple[str, int] | None = None

    @property
    def name(self) -> str:
        """The adapter's name."""
        return "web"

    @property
    def url(self) -> str:
        """Where it listens; raises ``RuntimeError`` while it does not."""
        if self._address is None:
            raise RuntimeError("the web host does not listen")
        host, port = self._address
        return f"{'https' if self._served.options.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"

    async def run(self, reporter: Reporter) -> None:
        """Listen and serve until cancelled; raises :class:`ListenError` or a configuration error."""
        self._served.options.check()
        context = await asyncio.to_thread(_tls_context, self._served.options) if self._served.options.tls else None
        with contextlib.closing(await asyncio.to_thread(_tcp_listener, self._served.options)) as listener:
            host, port, *_ = listener.getsockname()
            self._address = (str(host), int(port))
            try:
                await _serve(self._served, listener, self.url, reporter, context)
            finally:
                self._address = None


class LocalSocket:
    """Serves the command line at *path*; who is there is told by the kernel (SO_PEERCRED), not by the request."""

    def __init__(self, options: WebOptions, app: ASGIApp, hub: LiveHub, path: Path) -> None:
        self._served = _Served(options, app, hub)
        self._path = path

    @property
    def name(self) -> str:
        """The adapter's name."""
        return "local-socket"

    async def run(self, reporter: Reporter) -> None:
        """Listen and serve until cancelled; raises :class:`ListenError`."""
        with _unix_listener(self._path) as listener:
            await _serve(self._served, listener, str(self._path), reporter)


class _Server(uvicorn.Server):
    """A server that is a guest of the daemon's event loop: the signals are the daemon's."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        await super().startup(None if sockets is None else list(sockets))
        self._on_started()


async def _serve(
    parts: _Served, listener: socket.socket, address: str, reporter: Reporter, context: ssl.SSLContext | None = None
) -> None:
    options = parts.options

    def started() -> None:
        reporter.ready()
        log.info("listening", address=address)

    server = _Server(_config(options, parts.app, context), started)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name=f"http:{address}")
    try:
        await asyncio.shield(serving)
    finally:
        parts.hub.close_streams()
        server.should_exit = True
        done, _ = await asyncio.wait([serving], timeout=options.stop_s + 1)
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        if not done:
            serving.cancel()
            log.warning("listener did not stop in time", address=address)


def _config(options: WebOptions, app: ASGIApp, context: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=patient(options.stall_s),
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        # Its warnings are about requests of strangers, who could fill a disk with them.
        log_level=logging.ERROR,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=options.max_connections,
        h11_max_incomplete_event_size=LARGEST_HEAD_BYTES,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(options.stop_s),
        ssl_context_factory=None if context is None else lambda *_: context,
    )


def _tls_context(options: WebOptions) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(options.certificate_file, options.key_file or None, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise CertificateError(file=options.certificate_file, reason=str(error)) from error
    return context


def _no_password() -> str:
    raise ValueError("the private key is encrypted")


def _tcp_listener(options: WebOptions) -> socket.socket:
    address = f"{options.host}:{options.port}"
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ListenError(address=address, reason=error.strerror or str(error)) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(target)
        listener.listen(128)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ListenError(address=address, reason=error.strerror or str(error)) from error
    return listener


@contextlib.contextmanager
def _unix_listener(path: Path) -> Iterator[socket.socket]:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.closing(listener):
        try:
            _remove_stale(path)
            # The socket's own mode becomes that of the file (less the umask), so it is never open wider than this.
            os.fchmod(listener.fileno(), SOCKET_MODE)
            listener.bind(str(path))
            path.chmod(SOCKET_MODE)
            mine = path.stat().st_ino
            listener.listen(128)
            listener.setblocking(False)
        except OSError as error:
            raise ListenError(address=str(path), reason=error.strerror or str(error)) from error
        try:
            yield listener
        finally:
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_ino == mine:
                    path.unlink()


def _remove_stale(path: Path) -> None:
    if not path.is_socket():
        return
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
        else:
            raise OSError(errno.EADDRINUSE, "another gateway listens there")
