"""The SMS part of a gateway on a real store, until it is killed: queues numbers given once, and sends."""

import asyncio
import sys
from pathlib import Path

from gateway.core.board import Board
from gateway.core.clock import SystemClock
from gateway.core.supervisor import Backoff, Supervisor
from gateway.principals.model import SYSTEM
from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore
from gateway.store.unit import Base
from sms.modem import ModemDriver
from sms.options import Modem, SmsOptions
from sms.queue import SmsQueue
from sms.service import SmsService

OPTIONS = SmsOptions(command_timeout_s=1.0, send_timeout_s=2.0, poll_s=0.2, retry_first_s=0.05, retry_longest_s=0.1)


def part(folder, ports):
    """Return the store, the service and what has to be supervised."""
    clock, board = SystemClock(), Board()
    store = SqlStore(StoreOptions(), folder=folder, site="t", clock=clock, prepare=Base.metadata.create_all)
    service = SmsService(store=store, clock=clock, options=OPTIONS)
    modems = [
        ModemDriver(f"modem-{i}", Modem(ports=(port,)), OPTIONS, sink=service, board=board, clock=clock)
        for i, port in enumerate(ports, 1)
    ]
    queue = SmsQueue(service, modems, clock)
    for modem in modems:
        modem.on_ready = queue.wake
    return store, service, (*modems, queue)


async def main(folder, text, count, ports):
    store, service, adapters = part(folder, ports)
    await store.open()
    numbers = [f"+86139{number:08d}" for number in range(count)]
    await service.send(text=text, recipients=numbers, principal=SYSTEM, request="test/1")
    supervisor = Supervisor(SystemClock(), backoff=Backoff(first_s=0.05, longest_s=0.1))
    for adapter in adapters:
        supervisor.start(adapter)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
