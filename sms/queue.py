"""The supervised adapter ``sms-queue``: gives due segments to modems that are ready, one at a time to each."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from gateway.core.clock import Clock
from gateway.core.supervisor import Reporter
from sms.causes import Cure
from sms.errors import ModemNotReadyError, SendRefusedError, SendUnknownError
from sms.pdu import Submit
from sms.service import SmsService, Task

LONGEST_SLEEP_S = 30.0
SHORTEST_SLEEP_S = 0.05


class Sender(Protocol):
    """A modem as the queue sees it (the implementation is :class:`sms.modem.ModemDriver`)."""

    @property
    def name(self) -> str:
        """Its resource."""
        ...

    @property
    def ready(self) -> bool:
        """Whether it can send now."""
        ...

    @property
    def sim(self) -> str:
        """The digest of its SIM."""
        ...

    async def send(self, message: Submit) -> int:
        """Send one segment; see :meth:`sms.modem.ModemDriver.send`."""
        ...


class SmsQueue:
    """Shares the queue between modems: whoever is ready takes what is due next, so an alarm overtakes at once."""

    name = "sms-queue"

    def __init__(self, service: SmsService, modems: Sequence[Sender], clock: Clock) -> None:
        self._service = service
        self._modems = modems
        self._clock = clock
        self._woken = {modem.name: asyncio.Event() for modem in modems}
        self._changed = asyncio.Event()
        service.wake = self.wake

    def wake(self) -> None:
        """Look again now: something was queued, or a modem has become ready."""
        self._changed.set()
        for woken in self._woken.values():
            woken.set()

    async def run(self, reporter: Reporter) -> None:
        """Run until cancelled."""
        await self._service.recover()
        reporter.ready()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_time(), name="sms-queue-time")
            for modem in self._modems:
                group.create_task(self._serve(modem), name=f"sms-queue-{modem.name}")

    async def _keep_time(self) -> None:
        while True:
            self._changed.clear()
            due = await self._service.lapse()
            left_s = LONGEST_SLEEP_S if due is None else (due - self._clock.wall()).total_seconds()
            try:
                async with self._clock.timeout(min(max(left_s, SHORTEST_SLEEP_S), LONGEST_SLEEP_S)):
                    await self._changed.wait()
            except TimeoutError:
                for woken in self._woken.values():
                    woken.set()

    async def _serve(self, modem: Sender) -> None:
        woken = self._woken[modem.name]
        while True:
            woken.clear()
            task = await self._service.take(modem.name, modem.sim) if modem.ready else None
            if task is None:
                await woken.wait()
                continue
            await self._send(modem, task)

    async def _send(self, modem: Sender, task: Task) -> None:
        try:
            reference = await modem.send(task.submit)
        except SendRefusedError as error:
            await self._service.refused(task, error.fields["cure"], error.fields["cause"])
            self._changed.set()
        except ModemNotReadyError as error:
            await self._service.refused(task, Cure.MODEM, error.code)
            self._changed.set()
        except SendUnknownError as error:
            await self._service.lost_track(task, error.fields["cause"])
        else:
            await self._service.taken(task, reference)
