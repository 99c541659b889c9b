"""Messages that come in: segments in any order, put together once, given up with a mark when some never come."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from gateway.core.events import Happening
from gateway.core.ids import new_id
from gateway.store.unit import Unit
from sms import repository
from sms.events import SmsReceived
from sms.modem import Arrived
from sms.pdu import Deliver, decode, from_hex, text_of
from sms.repository import SmsInboundRow, SmsPartRow

GAP = "【缺失 {number}/{total}】"
_NO_PART = -1


def receive(unit: Unit, arrived: Arrived, message: Deliver) -> None:
    """Keep one segment; when its message is whole, keep and tell that. The same segment again changes nothing."""
    digest = hashlib.sha256(f"{arrived.sim}:{arrived.raw}".encode()).hexdigest()
    known = sa.select(SmsPartRow.digest).where(SmsPartRow.digest == digest)
    if unit.connection.execute(known).first() is not None:
        return
    part = message.data.part
    values = {
        "digest": digest,
        "modem": arrived.modem,
        "sim": arrived.sim,
        "sender": message.sender.value,
        "reference": _NO_PART if part is None else part.reference,
        "wide": part is not None and part.wide,
        "total": 1 if part is None else part.total,
        "number": 1 if part is None else part.index,
        "raw": arrived.raw,
        "arrived_at": unit.now,
        "message_id": None,
    }
    unit.connection.execute(sa.insert(SmsPartRow).values(**values))
    if part is None:
        _finish(unit, [digest], [message], arrived.modem, total=1)
        return
    waiting = _together(unit.connection, values)
    if len({row.number for row in waiting}) == part.total:
        _finish_rows(unit, waiting, part.total)


def give_up(unit: Unit, *, older_than: datetime) -> None:
    """Tell messages whose last segment came before *older_than*, with a mark for each that is missing."""
    query = sa.select(SmsPartRow.__table__).where(SmsPartRow.message_id.is_(None), SmsPartRow.arrived_at < older_than)
    seen: set[str] = set()
    for row in unit.connection.execute(query).mappings().all():
        waiting = [] if row["digest"] in seen else _together(unit.connection, row)
        seen |= {one.digest for one in waiting}
        if waiting and max(one.arrived_at for one in waiting) < older_than:
            _finish_rows(unit, waiting, row["total"])


def answered(connection: sa.Connection, sender: str) -> str | None:
    """Return the job that was last sent to *sender*, in the spellings that networks use."""
    digits = sender.removeprefix("+")
    spellings = [sender, digits, f"+{digits}", digits.removeprefix("86"), f"+86{digits}"]
    return repository.last_job_to(connection, spellings)


def _together(connection: sa.Connection, values: object) -> Sequence[sa.Row[tuple[object, ...]]]:
    same = ("sim", "sender", "reference", "wide", "total")
    table = SmsPartRow.__table__
    query = sa.select(table).where(
        SmsPartRow.message_id.is_(None),
        *(table.c[name] == values[name] for name in same),  # type: ignore[index]  # a mapping or a row's mapping
    )
    return connection.execute(query.order_by(SmsPartRow.number, SmsPartRow.arrived_at)).all()


def _finish_rows(unit: Unit, rows: Sequence[sa.Row[tuple[object, ...]]], total: int) -> None:
    messages = {row.number: decode(from_hex(row.raw)) for row in rows}
    ordered = [messages.get(number) for number in range(1, total + 1)]
    whole = [message if isinstance(message, Deliver) else None for message in ordered]
    _finish(unit, [row.digest for row in rows], whole, rows[0].modem, total=total)


def _finish(unit: Unit, digests: list[str], parts: Sequence[Deliver | None], modem: str, *, total: int) -> None:
    message_id = new_id()
    first = next(part for part in parts if part is not None)
    missing = tuple(number for number, part in enumerate(parts, 1) if part is None)
    reply_to = answered(unit.connection, first.sender.value)
    text = _text(parts, total)
    unit.connection.execute(sa.update(SmsPartRow).where(SmsPartRow.digest.in_(digests)).values(message_id=message_id))
    unit.connection.execute(
        sa.insert(SmsInboundRow).values(
            id=message_id,
            modem=modem,
            sender=first.sender.value,
            text=text,
            sent_at=first.timestamp,
            arrived_at=unit.now,
            missing=len(missing),
            reply_to=reply_to,
        )
    )
    told = SmsReceived(
        message=message_id,
        modem=modem,
        sender=first.sender.value,
        text=text,
        sent_at=first.timestamp,
        missing=missing,
        reply_to=reply_to,
    )
    unit.emit(Happening(told, resource=modem, aggregate=f"sms:{message_id}"))


def _text(parts: Sequence[Deliver | None], total: int) -> str:
    """Join the units of neighbours before reading them: some senders cut a character in two."""
    texts: list[str] = []
    run: list[Deliver] = []

    def read() -> None:
        if run:
            data = run[0].data
            texts.append(text_of(data.coding, b"".join(part.data.units for part in run), data.header))
            run.clear()

    for number, part in enumerate(parts, 1):
        if part is None:
            read()
            texts.append(GAP.format(number=number, total=total))
            continue
        if run and run[-1].data.dcs != part.data.dcs:
            read()
        run.append(part)
    read()
    return "".join(texts)
