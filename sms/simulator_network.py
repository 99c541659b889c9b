"""A mobile network for simulated modems: takes SUBMITs, delivers messages and reports, and writes down what it saw.

What it logs was read from the octets that arrived, by the decoder that is held to other projects' published PDUs, so it
is no echo of what the driver meant to send.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from gateway.core.clock import Clock
from sms import address, segments
from sms.at import Final
from sms.describe import describe
from sms.pdu import Deliver, StatusReport, Submit, encode_tpdu

DELIVERED = 0x00
FAILED = 0x41  # permanent: incompatible destination
PENDING_LIMIT = 100_000

Log = Callable[[dict[str, Any]], None]


class Terminal(Protocol):
    """A modem as the network sees it."""

    @property
    def number(self) -> str:
        """The number of its SIM."""
        ...

    def deliver(self, message: Deliver) -> bool:
        """Take a message; False when it cannot be kept, and the network keeps it."""
        ...

    def report(self, report: StatusReport) -> bool:
        """Take a report; False when it cannot be kept."""
        ...


@dataclass(slots=True)
class Plan:
    """How the network behaves; may be changed while it runs. Times in seconds.

    ``refusals`` are used up one by one, None being an acceptance. ``dead`` numbers get a report of failure, ``silent``
    ones none at all. ``lose_reports`` and ``double_reports`` are for every n-th, 0 for none. With ``lose_answers`` the
    message is taken and the modem never hears so. ``acknowledge_s`` is how long a modem waits for ``+CNMA``.
    """

    delay_s: float = 0.0
    report_delay_s: float = 0.0
    refusals: list[Final | None] = field(default_factory=list)
    dead: Collection[str] = ()
    silent: Collection[str] = ()
    lose_reports: int = 0
    double_reports: int = 0
    lose_answers: int = 0
    acknowledge_s: float = 15.0
    registered: bool = True


class SimulatedNetwork:
    """One network with its service centre. Tasks of its own are ended by :meth:`close`."""

    def __init__(self, clock: Clock, log: Log = lambda _: None, plan: Plan | None = None) -> None:
        self.plan = plan or Plan()
        self._clock = clock
        self._log = log
        self._terminals: dict[str, Terminal] = {}
        self._undelivered: list[tuple[str, Deliver | StatusReport]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._reports = 0

    def now(self) -> datetime:
        """Return the time of the service centre, in whole seconds as time stamps have."""
        return self._clock.wall().replace(microsecond=0)

    def attach(self, terminal: Terminal) -> None:
        """Let a modem in; what was kept for it is delivered."""
        self._terminals[terminal.number] = terminal
        self.flush(terminal.number)

    def detach(self, terminal: Terminal) -> None:
        """A modem has gone."""
        if self._terminals.get(terminal.number) is terminal:
            del self._terminals[terminal.number]

    def note(self, event: str, **fields: Any) -> None:
        """Write a line into the log."""
        self._log({"time": self._clock.wall().isoformat(), "event": event, **fields})

    async def submit(self, terminal: Terminal, message: Submit, reference: int) -> Final | None:
        """Take a message; return None when it was accepted, a refusal, or never when the answer is lost."""
        if self.plan.delay_s:
            await self._clock.sleep(self.plan.delay_s)
        refusal = self.plan.refusals.pop(0) if self.plan.refusals else None
        told = describe(message) | {"reference": reference, "pdu": encode_tpdu(message).hex().upper()}
        if refusal is not None:
            self.note("refused", modem=terminal.number, answer=str(refusal), **told)
            return refusal
        self.note("submitted", modem=terminal.number, **told)
        accepted_at = self.now()
        self._pass_on(terminal, message)
        if message.report_requested:
            self._start(self._report(terminal.number, message, reference, accepted_at), "report")
        if self.plan.lose_answers > 0:
            self.plan.lose_answers -= 1
            await asyncio.get_running_loop().create_future()
        return None

    def send(self, text: str, *, sender: str, to: str, reference: int = 0, message_class: int | None = None) -> None:
        """Send a text to a SIM, from a number or a name."""
        who = address.number(sender) if sender.lstrip("+").isdigit() else address.name(sender)
        for data in segments.split(text).user_data(reference, message_class=message_class):
            self._give(to, Deliver(sender=who, data=data, timestamp=self.now()))

    def flush(self, number: str) -> None:
        """Try again what was kept for a SIM, in order; stop at the first that still finds no room."""
        kept, self._undelivered = self._undelivered, []
        stuck = False
        for to, item in kept:
            if to != number or stuck or not self._offer(to, item):
                self._undelivered.append((to, item))
                stuck = stuck or to == number

    async def close(self) -> None:
        """End what is still on its way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _pass_on(self, terminal: Terminal, message: Submit) -> None:
        if message.recipient.value in self._terminals:
            deliver = Deliver(
                sender=address.number(terminal.number), data=message.data, timestamp=self.now(), pid=message.pid
            )
            self._start(self._later(message.recipient.value, deliver), "deliver")

    async def _later(self, to: str, item: Deliver | StatusReport) -> None:
        self._give(to, item)

    async def _report(self, to: str, message: Submit, reference: int, accepted_at: datetime) -> None:
        self._reports += 1
        plan, nth = self.plan, self._reports
        if plan.report_delay_s:
            await self._clock.sleep(plan.report_delay_s)
        recipient = message.recipient
        if recipient.value in plan.silent or (plan.lose_reports and nth % plan.lose_reports == 0):
            self.note("report_lost", modem=to, reference=reference, recipient=recipient.value)
            return
        status = FAILED if recipient.value in plan.dead else DELIVERED
        report = StatusReport(
            reference=reference, recipient=recipient, timestamp=accepted_at, discharged=self.now(), status=status
        )
        self._give(to, report)
        if plan.double_reports and nth % plan.double_reports == 0:
            self._give(to, report)

    def keep(self, to: str, item: Deliver | StatusReport) -> None:
        """Keep for later what a modem could not take, or did not acknowledge before it went."""
        if len(self._undelivered) < PENDING_LIMIT:
            self._undelivered.append((to, item))

    def _give(self, to: str, item: Deliver | StatusReport) -> None:
        if not self._offer(to, item):
            self.keep(to, item)

    def _offer(self, to: str, item: Deliver | StatusReport) -> bool:
        terminal = self._terminals.get(to)
        if terminal is None:
            return False
        taken = terminal.deliver(item) if isinstance(item, Deliver) else terminal.report(item)
        if taken:
            self.note("delivered" if isinstance(item, Deliver) else "reported", modem=to, **describe(item))
        return taken

    def _start(self, work: Any, what: str) -> None:
        task = asyncio.create_task(work, name=f"simulated-network-{what}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
