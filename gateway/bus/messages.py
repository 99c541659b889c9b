"""What the gateway itself keeps retained: its state, lease, description, catalogue and health."""

from datetime import datetime
from typing import Literal

import msgspec

from gateway.core.events import Message
from gateway.core.supervisor import State


class GatewayState(Message, frozen=True, kw_only=True):
    """Whether the gateway is there. The broker itself publishes ``offline`` when the gateway vanishes."""

    status: Literal["online", "offline"]
    epoch: int
    instance: str


class Lease(Message, frozen=True, kw_only=True):
    """The gateway is alive. It expires after three heartbeats, also when broker and gateway died together."""

    epoch: int
    instance: str
    renewed_at: datetime
    heartbeat_s: float


class Info(Message, frozen=True, kw_only=True):
    """What runs here."""

    product: Literal["trunkline"] = "trunkline"
    version: str
    site: str
    epoch: int
    instance: str
    started_at: datetime


class CatalogEntry(Message, frozen=True, kw_only=True):
    """One message type and the first 16 hexadecimal digits of the SHA-256 of its JSON schema."""

    name: str
    schema: str


class Catalog(Message, frozen=True, kw_only=True):
    """Everything that is told and can be asked for; ``contract`` changes when any schema does."""

    contract: str
    events: tuple[CatalogEntry, ...]
    commands: tuple[CatalogEntry, ...]
    states: tuple[CatalogEntry, ...]


class AdapterHealth(Message, frozen=True, kw_only=True):
    """One adapter: how it is, since when, why, and how often it was started again."""

    name: str
    state: State
    since: datetime
    reason: str
    restarts: int


class HealthReport(Message, frozen=True, kw_only=True):
    """All adapters."""

    epoch: int
    adapters: tuple[AdapterHealth, ...]


class ResourceState(Message, frozen=True, kw_only=True):
    """The state of one resource. ``revision`` counts its changes within ``epoch``."""

    revision: int
    epoch: int
    state: msgspec.Raw
