"""The stand: broker, Asterisk and gateway of one state folder, each a child process that can be killed and started."""

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from config.settings import load
from gateway.app.client import DaemonNotRunningError, LocalClient
from gateway.app.credentials import broker_paths
from gateway.app.paths import StatePaths
from gateway.app.prepare import asterisk_plan, prepare_broker
from gateway.app.sections import SECTIONS
from gateway.app.stand.asterisk import AsteriskChild, find_asterisk
from gateway.app.stand.broker import accepts_local, broker_child
from gateway.app.stand.ports import free_ports
from gateway.app.stand.processes import Child
from gateway.bus.options import BusOptions
from gateway.core.errors import DeadlineError
from trunks.telephone.options import TelephoneOptions

# The public network has a loopback address of its own, so that its calls are told from those of the phones.
NETWORK_ADDRESS = "127.0.0.2"
CALLED_NUMBERS = tuple(f"8811000{line}" for line in range(1, 9))
_STARTUP_S = 40.0


class Stand:
    """Use it as ``async with``: everything runs inside and is gone after. Ports are free ones of loopback.

    *config* is a configuration file; *overrides* are settings as in the environment, without the prefix
    (``WEB__PORT``). Raises what starting a program raises.
    """

    def __init__(self, state: Path, *, config: Path | None = None, overrides: Mapping[str, str] | None = None) -> None:
        self.paths = StatePaths(state)
        self._config = config
        self._environment = {**os.environ, **_names(_free_settings(state)), **_names(overrides or {})}
        self.settings = load(SECTIONS, file=config, environment=self._environment)
        if not any(line.numbers for line in self.settings.of(TelephoneOptions).lines):
            self._environment |= _names({"TELEPHONE__LINES": _eight_lines()})
            self.settings = load(SECTIONS, file=config, environment=self._environment)
        self._stack = AsyncExitStack()
        self.broker: Child
        self.asterisk: AsteriskChild
        self.gateway: Child

    @property
    def site(self) -> str:
        """The site in every topic."""
        return self.settings.of(BusOptions).site

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment that the gateway is started with."""
        return self._environment

    @property
    def mqtt_socket(self) -> Path:
        """The broker's local socket."""
        return broker_paths(self.paths).socket

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def start(self) -> None:
        """Start broker, Asterisk and gateway, in this order."""
        await self.start_broker()
        await self.start_asterisk()
        await self.start_gateway()

    async def start_broker(self) -> None:
        """Start the private broker with what the store knows of applications."""
        self.paths.create()
        main = await prepare_broker(self.settings, self.paths)
        self.broker = broker_child(main, self.paths.root / "broker.log")
        self._stack.push_async_callback(self.broker.stop)
        await self.broker.start(self._broker_ready, _STARTUP_S)

    async def start_asterisk(self) -> None:
        """Start Asterisk; a second time, after it was killed, with the same configuration."""
        installation = await asyncio.to_thread(find_asterisk)
        plan = asterisk_plan(
            self.settings,
            self.paths,
            modules=installation.modules,
            data=installation.data,
            run=self.paths.asterisk / "run",
        )
        self.asterisk = AsteriskChild(installation, plan)
        self._stack.push_async_callback(self.asterisk.stop)
        await self.asterisk.start(_STARTUP_S)

    async def start_gateway(self) -> None:
        """Start the daemon; a second time after it was killed."""
        command = [sys.executable, "-m", "gateway.app", "run"]
        if self._config is not None:
            command += ["--config", str(self._config)]
        self.gateway = Child("gateway", command, log=self.paths.root / "gateway.log", env=self._environment)
        self._stack.push_async_callback(self.gateway.stop, 15.0)
        await self.gateway.start(self.gateway_ready, _STARTUP_S)

    def client(self) -> LocalClient:
        """Return a client of the daemon's local socket; blocking."""
        return LocalClient(self.paths.socket)

    async def gateway_ready(self) -> bool:
        """Tell whether every part of the gateway is ready."""
        # httpcore leaves a socket open that it could not connect
        return await accepts_local(self.paths.socket) and await asyncio.to_thread(self._ready_now)

    def _ready_now(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.status()["state"] == "READY")
        except (DaemonNotRunningError, DeadlineError):
            return False

    async def _broker_ready(self) -> bool:
        return await accepts_local(self.mqtt_socket)


def _names(settings: Mapping[str, str]) -> dict[str, str]:
    return {f"TRUNKLINE_{name}": value for name, value in settings.items()}


def _free_settings(state: Path) -> dict[str, str]:
    ami, fastagi, web, mqtt = free_ports(4)
    (sip,) = free_ports(1, udp=True)
    (network,) = free_ports(1, udp=True, host=NETWORK_ADDRESS)
    return {
        "GATEWAY__STATE_DIR": f'"{state}"',
        "ASTERISK__AMI__PORT": str(ami),
        "ASTERISK__FASTAGI__PORT": str(fastagi),
        "ASTERISK__SERVER__SIP_PORT": str(sip),
        "ASTERISK__SERVER__TRUNK__HOST": f'"{NETWORK_ADDRESS}"',
        "ASTERISK__SERVER__TRUNK__PORT": str(network),
        "ASTERISK__SERVER__TRUNK__SOURCES": f'["{NETWORK_ADDRESS}"]',
        "WEB__PORT": str(web),
        "BUS__LISTENER__LOOPBACK_PORT": str(mqtt),
    }


def _eight_lines() -> str:
    lines = (
        f'{{name = "line-{index}", display_name = "{index} 号线", numbers = ["{number}"], priority = {index}}}'
        for index, number in enumerate(CALLED_NUMBERS, 1)
    )
    return f"[{', '.join(lines)}]"
