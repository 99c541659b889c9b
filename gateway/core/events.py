"""Events: what happened, as typed messages.

A feature declares its events as subclasses of :class:`Event` in its ``events.py`` and lists them in ``EVENTS``. The
AsyncAPI document, the topics and the SSE stream are generated from these classes.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal, get_args

import msgspec

Domain = Literal["tel", "radio", "sms", "fax", "rec", "dir", "ops", "sys"]
DOMAINS: tuple[str, ...] = get_args(Domain)

_TYPE = re.compile(rf"({'|'.join(DOMAINS)})\.([a-z0-9_-]{{1,32}})\.v([1-9][0-9]*)")


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A typed body of an event, a command, a result or a state. Times are aware and in UTC."""


class Event(Message, frozen=True, kw_only=True):
    """The body of one kind of event.

    ``TYPE`` is the CloudEvents type, ``<domain>.<name>.v<version>`` (``tel.call_started.v1``); the name is also the
    last level of the topic. Changes within a version are additive only. No body holds a secret; personal data is
    allowed in a body and never in a topic. ``SENSITIVE`` events go to a subtree of their own, which a right of its own
    opens.
    """

    TYPE: ClassVar[str]
    SUMMARY: ClassVar[str] = ""
    SENSITIVE: ClassVar[bool] = False


def parse_type(event_type: str) -> tuple[str, str, int]:
    """Split ``tel.call_started.v1`` into ``("tel", "call_started", 1)``; raise ``ValueError`` on anything else."""
    match = _TYPE.fullmatch(event_type)
    if match is None:
        raise ValueError(f"not an event type: {event_type!r}")
    return match[1], match[2], int(match[3])


@dataclass(frozen=True, slots=True)
class Happening:
    """An event about to be told: its body and where it belongs.

    ``resource`` is the topic level (``line-3``, ``ami``); ``aggregate`` is what ``aggseq`` counts by (``call:<id>``).
    ``time`` is when it happened, which for a recovered event lies in the past.
    """

    event: Event
    resource: str
    aggregate: str
    time: datetime | None = None
    recovered: bool = False
    incident: str | None = None
    causation: str | None = None
    traceparent: str | None = None


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudEvents 1.0 event in structured JSON.

    Extensions: ``gwepoch`` counts the starts of the gateway, ``gwseq`` the events of a site (gap-free, 64 bit),
    ``aggseq`` the events of one aggregate (named by ``subject``).
    """

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: Literal["application/json"]
    gwepoch: int
    gwseq: int
    aggseq: int
    recovered: bool | msgspec.UnsetType = msgspec.UNSET
    incident: str | msgspec.UnsetType = msgspec.UNSET
    causationid: str | msgspec.UnsetType = msgspec.UNSET
    traceparent: str | msgspec.UnsetType = msgspec.UNSET
    data: msgspec.Raw


def seal(happening: Happening, *, site: str, epoch: int, seq: int, aggseq: int, now: datetime) -> Envelope:
    """Give *happening* its place in the order of the site."""
    domain, _, _ = parse_type(happening.event.TYPE)

    def given(value: str | None) -> str | msgspec.UnsetType:
        return msgspec.UNSET if value is None else value

    return Envelope(
        specversion="1.0",
        id=f"{site}-{seq}",
        source=f"/gw/{site}/{domain}/{happening.resource}",
        type=happening.event.TYPE,
        subject=happening.aggregate,
        time=happening.time or now,
        datacontenttype="application/json",
        gwepoch=epoch,
        gwseq=seq,
        aggseq=aggseq,
        recovered=True if happening.recovered else msgspec.UNSET,
        incident=given(happening.incident),
        causationid=given(happening.causation),
        traceparent=given(happening.traceparent),
        data=msgspec.Raw(msgspec.json.encode(happening.event)),
    )
