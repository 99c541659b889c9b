"""The bus port: all that the gateway asks of an MQTT client, and nothing of any library.

Laws of every adapter (``tests/conformance/test_bus_port.py``):

1. ``publish`` returns the reason code that the broker gave. A code of 0x80 and above is returned, not raised: the
   caller decides what it means. It raises :class:`BusLostError` when the connection ends before the answer, and then
   nobody knows whether the message arrived.
2. A message that cannot fit the broker's packet limit is answered 0x95 without being sent, for sending it would cost
   the connection.
3. A delivery of QoS 1 is acknowledged after its handler has returned, never before, and acknowledgements leave in the
   order of arrival. When the handler raises, the connection ends without the acknowledgement and the broker delivers
   again.
4. At most ``receive_window`` deliveries and ``publish_window`` publications are under way at once.
5. Nothing waits longer than its deadline.
"""

import asyncio
import enum
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from gateway.core.errors import Kind, TrunklineError
from gateway.core.text import Text


class Reason(enum.IntEnum):
    """The MQTT 5 reason codes that are looked at (clause 2.4). Others are plain integers."""

    SUCCESS = 0x00
    NO_MATCHING_SUBSCRIBERS = 0x10
    UNSPECIFIED = 0x80
    IMPLEMENTATION_SPECIFIC = 0x83
    BAD_CREDENTIALS = 0x86
    NOT_AUTHORIZED = 0x87
    SESSION_TAKEN_OVER = 0x8E
    TOPIC_FILTER_INVALID = 0x8F
    TOPIC_NAME_INVALID = 0x90
    PACKET_TOO_LARGE = 0x95
    QUOTA_EXCEEDED = 0x97
    PAYLOAD_FORMAT_INVALID = 0x99


def is_good(reason: int) -> bool:
    """Tell whether *reason* means success."""
    return reason < Reason.UNSPECIFIED


class BusError(TrunklineError):
    """Anything that goes wrong between the gateway and the broker."""


class BusUnreachableError(BusError):
    """The broker does not answer."""

    code = "bus.unreachable"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text(
        "The broker at {address} cannot be reached: {reason}.", "无法连接位于 {address} 的消息代理：{reason}。"
    )
    action = Text("Check that it runs; nothing is lost meanwhile.", "请检查其是否运行；期间的事件不会丢失。")


class BusRefusedError(BusError):
    """The broker refuses the connection."""

    code = "bus.refused"
    kind = Kind.CONFIG
    cause = Text(
        "The broker refused the connection with reason 0x{reason:02x}.", "消息代理拒绝了连接，原因码 0x{reason:02x}。"
    )
    action = Text("Check user and password of the bus in the configuration.", "请检查配置中消息总线的用户名和密码。")


class BusLostError(BusError):
    """The connection to the broker ended."""

    code = "bus.lost"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("The connection to the broker was lost: {reason}.", "与消息代理的连接已断开：{reason}。")
    action = Text("It is made again by itself; nothing is lost meanwhile.", "系统会自动重连；期间的事件不会丢失。")


def lost_by(error: BusError) -> BusLostError:
    """Return what a call raises after *error* has ended the connection."""
    return BusLostError(reason=error.fields["reason"] if isinstance(error, BusLostError) else error.title())


class BusTakenOverError(BusError):
    """Another client uses the gateway's client id."""

    code = "bus.taken_over"
    kind = Kind.CONFIG
    cause = Text(
        "Another program connected to the broker with the client id {client_id!r}.",
        "另一个程序以客户端标识 {client_id!r} 连接了消息代理。",
    )
    action = Text(
        "Stop the second gateway, or give each its own `bus.client_id` and `bus.site`.",
        "请停止第二个网关，或为每个网关设置各自的 `bus.client_id` 和 `bus.site`。",
    )


class BusDeniedError(BusError):
    """The broker denies the gateway something that it needs."""

    code = "bus.denied"
    kind = Kind.CONFIG
    cause = Text(
        "The broker denied {what} with reason 0x{reason:02x}.", "消息代理拒绝了 {what}，原因码 0x{reason:02x}。"
    )
    action = Text("Give the gateway's user its rights at the broker.", "请在消息代理上为网关用户授予相应权限。")


@dataclass(frozen=True, slots=True)
class Publication:
    """A message to send. ``expiry_s`` is the MQTT 5 message expiry; ``user`` are its user properties."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    expiry_s: int | None = None
    content_type: str = ""
    response_topic: str = ""
    correlation: bytes | None = None
    user: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that came in."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    duplicate: bool = False
    response_topic: str = ""
    correlation: bytes | None = None
    user: tuple[tuple[str, str], ...] = ()


Handler = Callable[[Delivery], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Login:
    """How to introduce oneself. ``will`` is published by the broker when the connection ends without a goodbye."""

    client_id: str
    user: str = ""
    password: str = ""
    will: Publication | None = None
    clean_start: bool = False
    session_expiry_s: int = 0


@dataclass(frozen=True, slots=True)
class Welcome:
    """What the broker said when it accepted (CONNACK). ``max_packet_bytes`` of ``None`` is no limit."""

    session_present: bool
    max_packet_bytes: int | None
    receive_maximum: int
    max_qos: int
    retain_available: bool


class BusConnection(Protocol):
    """A connection that stands. It is used on the event loop only."""

    @property
    def welcome(self) -> Welcome:
        """What the broker granted."""
        ...

    @property
    def lost(self) -> asyncio.Future[BusError]:
        """Becomes done, with the reason as its result, when the connection has ended by itself."""
        ...

    async def publish(self, publication: Publication) -> int:
        """Send and return the broker's reason code (QoS 0: 0 once it is handed over)."""
        ...

    async def subscribe(self, pattern: str, *, retain_handling: int = 2, no_local: bool = True) -> int:
        """Subscribe with QoS 1 and return the reason code.

        The retain flag comes as it was published. *retain_handling*: 0 sends what is retained, 2 does not. *no_local*
        keeps own publications from coming back.
        """
        ...

    async def unsubscribe(self, pattern: str) -> int:
        """End a subscription and return the reason code."""
        ...


class BusPort(Protocol):
    """Makes connections to one broker."""

    @property
    def address(self) -> str:
        """Where the broker is, for people."""
        ...

    def connect(self, login: Login, handler: Handler) -> AbstractAsyncContextManager[BusConnection]:
        """Connect; on leaving, say goodbye (the will is not sent) unless the connection is lost already.

        *handler* is called for every delivery, also those that the broker kept in the session and sends before any
        subscription. Raises :class:`BusUnreachableError` and :class:`BusRefusedError`.
        """
        ...
