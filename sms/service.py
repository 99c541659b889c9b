"""What may be done with short messages, and what follows from what the network says."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from gateway.core.clock import Clock
from gateway.core.errors import InvalidInputError, NotFoundError
from gateway.core.events import Event, Happening, Message
from gateway.core.ids import new_id
from gateway.principals.model import Principal
from gateway.store.unit import Store, Unit
from sms import address, inbound, repository, segments, times
from sms.causes import Cure
from sms.describe import outcome
from sms.events import SmsCallMissed, SmsDelivered, SmsFailed, SmsQueued, SmsSent, SmsUnknown
from sms.modem import Arrived
from sms.options import SmsOptions
from sms.pdu import Deliver, StatusReport, Submit
from sms.rules import Act, Priority, Segment, Trace, follow, match, recipient_state, retry_after_s

RESOURCE = "messages"
EARLY_LIMIT = 1000
_MODEM_PAUSE_S = 5.0


class SmsJob(Message, frozen=True, kw_only=True):
    """A job as it was accepted."""

    id: str
    recipients: int
    segments: int
    alphabet: str
    not_after: datetime


class SmsRecipientView(Message, frozen=True, kw_only=True):
    """How it stands with one recipient."""

    place: int
    number: str
    state: str
    cause: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Task:
    """A segment that was taken out of the queue for a modem."""

    job: str
    place: int
    segment: int
    attempts: int
    submit: Submit


class SmsService:
    """Jobs and their recipients; also the sink of the modems. ``wake`` is called when the queue has to look again."""

    def __init__(self, *, store: Store, clock: Clock, options: SmsOptions) -> None:
        self._store = store
        self._clock = clock
        self._options = options
        self._early: list[tuple[str, StatusReport]] = []
        self.wake: Callable[[], None] = lambda: None

    def _wake(self) -> None:
        self.wake()

    # What people and programs ask for.

    async def send(
        self,
        *,
        text: str,
        recipients: Sequence[str],
        principal: Principal,
        priority: Priority = Priority.NORMAL,
        message_class: int | None = None,
        report: bool = True,
        not_after_s: float = 3600.0,
        request: str | None = None,
        incident: str | None = None,
    ) -> SmsJob:
        """Queue a text; the same *request* makes one job only. Recipients named twice get it once."""
        principal.require("sms.send", RESOURCE)
        if not text:
            raise InvalidInputError(field="text", reason="it is empty")
        numbers = list(dict.fromkeys(address.number(number).value for number in recipients))
        split = segments.split(text)
        job_id = new_id()

        def work(unit: Unit) -> SmsJob:
            made = None if request is None else repository.of_request(unit.connection, request)
            if made is not None:
                count = len(repository.recipients(unit.connection, made["id"]))
                return SmsJob(id=made["id"], recipients=count, segments=made["segments"], alphabet=split.alphabet.value,
                              not_after=made["not_after"])  # fmt: skip
            not_after = unit.now + timedelta(seconds=not_after_s)
            job = {
                "id": job_id,
                "request": request,
                "text": text,
                "message_class": message_class,
                "priority": priority.value,
                "concatenation": secrets.randbelow(256),
                "segments": len(split),
                "report": report,
                "made_at": unit.now,
                "made_by": str(principal),
                "not_after": not_after,
                "incident": incident,
            }
            repository.insert_job(unit.connection, job, numbers)
            queued = SmsQueued(
                job=job_id,
                recipients=len(numbers),
                segments=len(split),
                priority=priority.name.lower(),
                not_after=not_after,
                by=str(principal),
            )
            _emit(unit, job_id, queued, incident)
            unit.after_commit(self._wake)
            return SmsJob(id=job_id, recipients=len(numbers), segments=len(split), alphabet=split.alphabet.value,
                          not_after=not_after)  # fmt: skip

        return await self._store.write(work, name="sms-send")

    async def cancel(self, job: str, *, principal: Principal) -> int:
        """Take back what no modem has seen yet; return how many segments that is."""
        principal.require("sms.cancel", RESOURCE)

        def work(unit: Unit) -> int:
            if not repository.recipients(unit.connection, job):
                raise NotFoundError(what="message", name=job)
            keys = repository.queued_of(unit.connection, job)
            for key in keys:
                self._change(unit, key["job_id"], key["place"], key["segment"], Act.GIVEN_UP, cause="cancelled")
            return len(keys)

        return await self._store.write(work, name="sms-cancel")

    async def recipients(self, job: str) -> list[SmsRecipientView]:
        """Return how it stands with each recipient of a job."""
        rows = await self._store.read(lambda connection: repository.recipients(connection, job))
        if not rows:
            raise NotFoundError(what="message", name=job)
        return [
            SmsRecipientView(**{name: row[name] for name in ("place", "number", "state", "cause", "changed_at")})
            for row in rows
        ]

    # What the queue asks for.

    async def recover(self) -> int:
        """Say that what was on its way to a modem when the gateway ended has an unknown end; return how many."""

        def work(unit: Unit) -> int:
            keys = repository.in_state(unit.connection, Segment.SENDING)
            for key in keys:
                self._change(unit, key["job_id"], key["place"], key["segment"], Act.LOST_TRACK, cause="restart")
            return len(keys)

        return await self._store.write(work, name="sms-recover")

    async def take(self, modem: str, sim: str) -> Task | None:
        """Take the next due segment for a modem; from here on a crash leaves it unknown."""

        def work(unit: Unit) -> Task | None:
            row = repository.next_due(unit.connection, unit.now)
            if row is None:
                return None
            attempts = row["attempts"] + 1
            self._change(
                unit, row["job_id"], row["place"], row["segment"], Act.HAND_OVER,
                modem=modem, sim=sim, handed_at=unit.now, attempts=attempts,
            )  # fmt: skip
            data = segments.split(row["text"]).user_data(row["concatenation"], message_class=row["message_class"])
            left_s = min((row["not_after"] - unit.now).total_seconds(), self._options.validity_s)
            submit = Submit(
                recipient=address.number(row["number"]),
                data=data[row["segment"] - 1],
                validity=times.relative(left_s),
                report_requested=row["report"],
            )
            return Task(row["job_id"], row["place"], row["segment"], attempts, submit)

        return await self._store.write(work, name="sms-take")

    async def lapse(self) -> datetime | None:
        """End what nobody sent in time; return when to look again."""

        def work(unit: Unit) -> datetime | None:
            for key in repository.in_state(unit.connection, Segment.QUEUED, lapsed_at=unit.now):
                self._change(unit, key["job_id"], key["place"], key["segment"], Act.GIVEN_UP, cause="expired")
            inbound.give_up(unit, older_than=unit.now - timedelta(seconds=self._options.part_wait_s))
            return repository.look_again_at(unit.connection, unit.now)

        return await self._store.write(work, name="sms-lapse")

    async def taken(self, task: Task, reference: int) -> None:
        """Keep that the network took a segment."""
        early = tuple(self._early)

        def work(unit: Unit) -> list[tuple[str, StatusReport]]:
            self._act(unit, task, Act.TAKEN, reference=reference, taken_at=unit.now)
            return [(sim, report) for sim, report in early if self._report(unit, sim, report)]

        matched = await self._store.write(work, name="sms-taken")
        self._early = [one for one in self._early if one not in matched]

    async def refused(self, task: Task, cure: Cure, cause: str) -> None:
        """Keep that a segment was not sent: it is tried again where that can help."""

        def work(unit: Unit) -> None:
            free = cure is Cure.MODEM  # the recipient is not to blame: that try does not count
            if cure is Cure.PERMANENT or (not free and task.attempts >= self._options.attempts):
                self._act(unit, task, Act.GIVEN_UP, cause=cause)
                for key in repository.queued_of(unit.connection, task.job, task.place):
                    self._change(unit, key["job_id"], key["place"], key["segment"], Act.GIVEN_UP, cause=cause)
                return
            pause_s = _MODEM_PAUSE_S if free else self._pause_s(task.attempts)
            due_at = unit.now + timedelta(seconds=pause_s)
            self._act(unit, task, Act.REFUSED, due_at=due_at, attempts=task.attempts - free)

        await self._store.write(work, name="sms-refused")

    async def lost_track(self, task: Task, cause: str) -> None:
        """Keep that nobody knows whether a segment was sent."""
        await self._store.write(lambda unit: self._act(unit, task, Act.LOST_TRACK, cause=cause), name="sms-unknown")

    def _pause_s(self, attempts: int) -> float:
        return retry_after_s(attempts, first_s=self._options.retry_first_s, longest_s=self._options.retry_longest_s)

    # What the modems bring: see sms.modem.Sink.

    async def received(self, arrived: Arrived, message: Deliver) -> None:
        """Keep a segment that came in, and tell its message once it is whole."""
        await self._store.write(lambda unit: inbound.receive(unit, arrived, message), name="sms-received")

    async def reported(self, arrived: Arrived, report: StatusReport) -> None:
        """Keep what a report says of the segment that it is about."""
        found = await self._store.write(lambda unit: self._report(unit, arrived.sim, report), name="sms-reported")
        if not found:  # it may have come before the modem's own answer
            self._early = [*self._early[1 - EARLY_LIMIT :], (arrived.sim, report)]

    async def called(self, arrived: Arrived, caller: str) -> None:
        """Tell a missed voice call, with the message that it may answer."""

        def work(unit: Unit) -> None:
            reply_to = inbound.answered(unit.connection, caller) if caller else None
            missed = SmsCallMissed(modem=arrived.modem, caller=caller, reply_to=reply_to)
            unit.emit(Happening(missed, resource=arrived.modem, aggregate=f"sms:{new_id()}", time=arrived.at))

        await self._store.write(work, name="sms-called")

    def _report(self, unit: Unit, sim: str, report: StatusReport) -> bool:
        """Match a report; return whether it needs no second look."""
        meaning = outcome(report.status)
        if meaning == "retrying":
            return True
        since = unit.now - timedelta(seconds=self._options.report_wait_s)
        candidates = repository.traces(unit.connection, sim, since)
        found: Trace | None = match(
            candidates, reference=report.reference, number=report.recipient.value, accepted_at=report.timestamp
        )
        if found is None:
            return False
        act = Act.REPORT_DELIVERED if meaning == "delivered" else Act.REPORT_FAILED
        cause = "" if act is Act.REPORT_DELIVERED else f"status-{report.status}"
        self._change(unit, found.job, found.place, found.segment, act, cause=cause, status=report.status,
                     reference=report.reference)  # fmt: skip
        return True

    # One place where segments change.

    def _act(self, unit: Unit, task: Task, act: Act, *, cause: str = "", **values: object) -> None:
        self._change(unit, task.job, task.place, task.segment, act, cause=cause, **values)

    def _change(
        self, unit: Unit, job: str, place: int, segment: int, act: Act, *, cause: str = "", **values: object
    ) -> None:
        connection = unit.connection
        before = Segment(repository.get_segment(connection, job, place, segment)["state"])
        after = follow(before, act)
        repository.update_segment(connection, job, place, segment, state=after.value, **values)
        whole = recipient_state(repository.states_of(connection, job, place))
        row = repository.recipient(connection, job, place)
        if row["state"] != whole.value:
            repository.update_recipient(connection, job, place, state=whole.value, cause=cause, changed_at=unit.now)
            _tell(unit, row, whole, cause)


def _tell(unit: Unit, row: sa.RowMapping, state: Segment, cause: str) -> None:
    job, place, number = row["job_id"], row["place"], row["number"]
    told: Event | None = None
    if state is Segment.SENT:
        told = SmsSent(job=job, place=place, recipient=number)
    elif state is Segment.DELIVERED:
        told = SmsDelivered(job=job, place=place, recipient=number)
    elif state is Segment.FAILED:
        told = SmsFailed(job=job, place=place, recipient=number, cause=cause)
    elif state is Segment.UNKNOWN:
        told = SmsUnknown(job=job, place=place, recipient=number, cause=cause)
    if told is not None:
        _emit(unit, job, told)


def _emit(unit: Unit, job: str, event: Event, incident: str | None = None) -> None:
    unit.emit(Happening(event, resource=RESOURCE, aggregate=f"sms:{job}", incident=incident))
