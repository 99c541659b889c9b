"""The service manager's protocol: READY, STOPPING, STATUS and the watchdog.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

import os
import socket
from collections.abc import Callable, Mapping

import structlog

from gateway.core.clock import Clock

log = structlog.get_logger(__name__)


class ServiceManager:
    """Sends datagrams to ``NOTIFY_SOCKET``; without that variable it does nothing."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        microseconds = environment.get("WATCHDOG_USEC", "")
        mine = environment.get("WATCHDOG_PID", "") in {"", str(os.getpid())}
        self.watchdog_s = int(microseconds) / 1e6 if microseconds.isdigit() and mine and self._address else None

    def tell(self, *lines: str) -> None:
        """Send ``KEY=value`` lines; a manager that cannot be reached is logged and otherwise ignored."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as datagram:
                datagram.connect(self._address)
                datagram.send("\n".join(lines).encode())
        except OSError as error:
            log.warning("service manager cannot be told", error=str(error))


async def feed_watchdog(manager: ServiceManager, clock: Clock, stuck: Callable[[], list[str]]) -> None:
    """Feed the watchdog at a third of its period, as long as *stuck* names no loop that has stopped turning.

    That this coroutine runs at all shows that the event loop turns. Ends at once when no watchdog is asked for.
    """
    if manager.watchdog_s is None:
        return
    while True:
        names = stuck()
        if names:
            log.error("watchdog is not fed", stuck=names)
        else:
            manager.tell("WATCHDOG=1")
        await clock.sleep(manager.watchdog_s / 3)


def clear_environment(environment: dict[str, str] | None = None) -> None:
    """Forget the manager's variables, so that child processes do not speak in our name."""
    target = os.environ if environment is None else environment
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        target.pop(name, None)
