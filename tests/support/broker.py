"""A real private mosquitto for tests, started from the configuration that the gateway generates."""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gateway.bus.broker import (
    ADMIN_USER,
    GATEWAY_USER,
    BrokerPaths,
    broker_configuration,
    digest_password,
    initial_security,
    new_password,
    plugin_path,
)
from gateway.bus.dynsec_model import ClientEntry, RoleEntry
from gateway.bus.options import BusOptions, ListenerOptions

_DEADLINE_S = 10.0


@dataclass
class RealBroker:
    """A mosquitto process; ``kill`` and ``start`` again as a test likes."""

    options: BusOptions
    paths: BrokerPaths
    gateway_password: str
    admin_password: str
    replacements: dict[str, str] = field(default_factory=dict)
    clients: Sequence[ClientEntry] = ()
    roles: Sequence[RoleEntry] = ()
    process: asyncio.subprocess.Process | None = None

    @property
    def port(self) -> int:
        return self.options.listener.loopback_port

    def write_security(self) -> None:
        self.paths.security.write_bytes(
            initial_security(
                self.options.site,
                gateway=digest_password(self.gateway_password),
                admin=digest_password(self.admin_password),
                clients=self.clients,
                roles=self.roles,
            )
        )

    async def start(self) -> None:
        text = broker_configuration(self.options, self.paths, plugin_path(), user="root" if os.getuid() == 0 else "")
        for old, new in self.replacements.items():
            assert old in text
            text = text.replace(old, new)
        self.paths.configuration.write_text(text)
        self.paths.socket.unlink(missing_ok=True)
        log = self.paths.configuration.with_suffix(".log").open("ab")
        self.process = await asyncio.create_subprocess_exec(
            "mosquitto", "-c", str(self.paths.configuration), stdout=log, stderr=log, umask=0o007
        )
        log.close()
        async with asyncio.timeout(_DEADLINE_S):
            while not await self._answers():
                assert self.process.returncode is None, self.paths.configuration.with_suffix(".log").read_text()
                await asyncio.sleep(0.01)

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(self.paths.socket)
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True

    async def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(how)
        async with asyncio.timeout(_DEADLINE_S):
            await process.wait()

    def login(self) -> tuple[str, str]:
        return GATEWAY_USER, self.gateway_password

    def admin(self) -> tuple[str, str]:
        return ADMIN_USER, self.admin_password


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def real_broker(
    *,
    site: str = "duty",
    loopback: bool = False,
    clients: Sequence[ClientEntry] = (),
    roles: Sequence[RoleEntry] = (),
    replacements: dict[str, str] | None = None,
    **options: object,
) -> AsyncIterator[RealBroker]:
    """Start a broker in a short-named folder of its own, and stop it."""
    with tempfile.TemporaryDirectory(prefix="tl-") as name:
        folder = Path(name)
        (folder / "db").mkdir()
        paths = BrokerPaths(
            socket=folder / "broker.sock",
            configuration=folder / "mosquitto.conf",
            security=folder / "dynamic-security.json",
            persistence=folder / "db",
        )
        listener = ListenerOptions(loopback_port=free_port() if loopback else 0)
        settings = msgspec.convert({"site": site, "deadline_s": 5.0, **options}, BusOptions)
        settings = msgspec.structs.replace(settings, listener=listener)
        broker = RealBroker(
            options=settings,
            paths=paths,
            gateway_password=new_password(),
            admin_password=new_password(),
            replacements=replacements or {},
            clients=clients,
            roles=roles,
        )
        broker.write_security()
        await broker.start()
        try:
            yield broker
        finally:
            await broker.kill(signal.SIGTERM)
