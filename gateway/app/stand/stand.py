"""The stand: broker, Asterisk and gateway of one state folder, each a child process that can be killed and started."""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from config.settings import Settings, load
from gateway.app.client import DaemonNotRunningError, LocalClient
from gateway.app.credentials import broker_paths
from gateway.app.options import AsteriskServerOptions
from gateway.app.paths import StatePaths
from gateway.app.prepare import asterisk_plan, prepare_broker
from gateway.app.sections import SECTIONS
from gateway.app.stand.asterisk import AsteriskChild, find_asterisk
from gateway.app.stand.broker import accepts_local, broker_child
from gateway.app.stand.ports import free_port
from gateway.app.stand.processes import Child
from gateway.asterisk.options import AmiOptions, FastAgiOptions
from gateway.bus.options import BusOptions
from gateway.core.errors import DeadlineError
from gateway.web.options import WebOptions
from trunks.telephone.options import TelephoneOptions

# The public network has a loopback address of its own, so that its calls are told from those of the phones.
NETWORK_ADDRESS = "127.0.0.2"
MQTT_PORT = 1883
CALLED_NUMBERS = tuple(f"8811000{line}" for line in range(1, 9))
_STARTUP_S = 40.0


@dataclass(frozen=True, slots=True)
class _Listener:
    usual: Callable[[Settings], int]
    udp: bool = False
    host: str = "127.0.0.1"

    def port(self, settings: Settings | None) -> int:
        wanted = 0 if settings is None else self.usual(settings)
        return free_port(wanted, udp=self.udp, host=self.host)


_LISTENERS: Mapping[str, _Listener] = MappingProxyType(
    {
        "WEB__PORT": _Listener(lambda settings: settings.of(WebOptions).port),
        "BUS__LISTENER__LOOPBACK_PORT": _Listener(
            lambda settings: settings.of(BusOptions).listener.loopback_port or MQTT_PORT
        ),
        "ASTERISK__AMI__PORT": _Listener(lambda settings: settings.of(AmiOptions).port),
        "ASTERISK__FASTAGI__PORT": _Listener(lambda settings: settings.of(FastAgiOptions).port),
        "ASTERISK__SERVER__SIP_PORT": _Listener(lambda settings: settings.of(AsteriskServerOptions).sip_port, udp=True),
        "ASTERISK__SERVER__TRUNK__PORT": _Listener(
            lambda settings: settings.of(AsteriskServerOptions).trunk.port, udp=True, host=NETWORK_ADDRESS
        ),
    }
)


class Stand:
    """Use it as ``async with``: everything runs inside and is gone after. Ports are free ones of loopback.

    *config* is a configuration file; *overrides* are settings as in the environment, without the prefix
    (``WEB__PORT``). With *usual_ports* the ports are those of the settings wherever they are free, so that programs
    outside find everything by the same settings; ``moved`` tells which were not. Raises what starting a program raises.
    """

    def __init__(
        self,
        state: Path,
        *,
        config: Path | None = None,
        overrides: Mapping[str, str] | None = None,
        usual_ports: bool = False,
    ) -> None:
        self.paths = StatePaths(state)
        self._config = config
        outside = {**os.environ, **_names(_place(state))}
        usual = load(SECTIONS, file=config, environment=outside) if usual_ports else None
        ports = _ports(usual)
        self.moved = {} if usual is None else _moved(usual, ports)
        chosen = {setting: str(port) for setting, port in ports.items()}
        self._environment = {**outside, **_names(chosen), **_names(overrides or {})}
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


def _place(state: Path) -> dict[str, str]:
    return {
        "GATEWAY__STATE_DIR": f'"{state}"',
        "ASTERISK__SERVER__TRUNK__HOST": f'"{NETWORK_ADDRESS}"',
        "ASTERISK__SERVER__TRUNK__SOURCES": f'["{NETWORK_ADDRESS}"]',
    }


def _ports(usual: Settings | None) -> dict[str, int]:
    ports: dict[str, int] = {}
    taken: set[tuple[bool, str, int]] = set()
    for setting, listener in _LISTENERS.items():
        port = listener.port(usual)
        while (listener.udp, listener.host, port) in taken:
            port = listener.port(None)
        taken.add((listener.udp, listener.host, port))
        ports[setting] = port
    return ports


def _moved(usual: Settings, ports: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Return the settings whose usual port is taken: the usual one, and the one that is used instead."""
    wanted = {setting: listener.usual(usual) for setting, listener in _LISTENERS.items()}
    return {setting: (wanted[setting], port) for setting, port in ports.items() if wanted[setting] not in {0, port}}


def _eight_lines() -> str:
    lines = (
        f'{{name = "line-{index}", numbers = ["{number}"], priority = {index}}}'
        for index, number in enumerate(CALLED_NUMBERS, 1)
    )
    return f"[{', '.join(lines)}]"
