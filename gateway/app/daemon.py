"""The daemon: the house with everything started, until it is told to stop."""

import asyncio
import signal

import structlog

from config.settings import Settings
from gateway.app.consistency import check
from gateway.app.house import House, open_house
from gateway.app.notify import ServiceManager, clear_environment, feed_watchdog
from gateway.app.options import GatewayOptions
from gateway.app.paths import StatePaths
from gateway.core import logs

log = structlog.get_logger(__name__)

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LONGEST_COMMIT_S = 60.0


async def run_daemon(settings: Settings, paths: StatePaths) -> int:
    """Run until a stop signal; return the exit code."""
    options = settings.of(GatewayOptions)
    logs.set_up(level=options.log_level, log_format=options.log_format)
    check(settings)
    manager = ServiceManager()
    clear_environment()
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, told_to_stop.set)
    async with open_house(settings, paths, running=True) as house:
        await house.start()
        watchdog = asyncio.create_task(feed_watchdog(manager, house.clock, lambda: stuck_loops(house)), name="watchdog")
        manager.tell("READY=1", f"STATUS=running, epoch {house.store.epoch}")
        log.info("gateway runs", epoch=house.store.epoch, last_seq=house.store.last_seq)
        try:
            await told_to_stop.wait()
        finally:
            manager.tell("STOPPING=1")
            log.info("gateway stops")
            await house.stop(options.stop_grace_s)
            watchdog.cancel()
    return 0


def stuck_loops(house: House) -> list[str]:
    """Return which loops beside the event loop no longer turn."""
    stuck = []
    if not house.store.writer_alive or house.store.writer_busy_s > _LONGEST_COMMIT_S:
        stuck.append("store-writer")
    return stuck
