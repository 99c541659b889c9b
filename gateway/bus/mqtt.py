"""MQTT 5 over paho: the one adapter of the bus port, and the one module that knows the library.

paho is driven from the event loop with its public face alone (sockets' callbacks, ``manual_ack``); why not through
aiomqtt: ``docs/decisions/0003-mqtt-client.md``. Each connection is a new client object, so nothing that was queued in
one is sent by the next behind the caller's back.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import structlog
from paho.mqtt import MQTTException
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.bus.options import BusOptions
from gateway.bus.port import (
    BusConnection,
    BusError,
    BusLostError,
    BusRefusedError,
    BusTakenOverError,
    BusUnreachableError,
    Delivery,
    Handler,
    Login,
    Publication,
    Reason,
    Welcome,
    lost_by,
)
from gateway.bus.properties import encode_properties

log = structlog.get_logger(__name__)

_TICK_S = 0.5
# Mosquitto 2.0.11 sends more than ReceiveMaximum allows to a client that acknowledges slowly. Beyond this many windows
# nothing more is read, so that the broker keeps what waits.
_WINDOWS_TAKEN = 4
_FIXED_OVERHEAD = 1 + 4 + 2 + 2  # first byte, remaining length, topic length, packet id


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a broker is: a unix socket, or host and port with or without TLS."""

    socket: Path | None = None
    host: str = ""
    port: int = 0
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"unix:{self.socket}" if self.socket is not None else f"{self.host}:{self.port}"


def endpoint_of(options: BusOptions, socket: Path) -> Endpoint:
    """Return the endpoint that *options* mean; *socket* is the private broker's. Blocking: reads certificates."""
    if options.broker == "private":
        return Endpoint(socket=socket)
    tls = ssl.create_default_context(cafile=options.ca_file or None) if options.tls else None
    return Endpoint(host=options.host, port=options.port, tls=tls)


class MqttPort:
    """The bus port on MQTT 5."""

    def __init__(self, endpoint: Endpoint, options: BusOptions) -> None:
        self._endpoint = endpoint
        self._options = options

    @property
    def address(self) -> str:
        """Where the broker is."""
        return str(self._endpoint)

    @contextlib.asynccontextmanager
    async def connect(self, login: Login, handler: Handler) -> AsyncIterator[BusConnection]:
        """See :meth:`gateway.bus.port.BusPort.connect`."""
        connection = _Connection(self._endpoint, self._options, login, handler)
        await connection.open()
        try:
            yield connection
        finally:
            await connection.close()


class _Packed(Properties):
    """Properties that are encoded already: paho's own encoding costs more than the rest of a publication."""

    def __init__(self, packed: bytes) -> None:
        super().__init__(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        object.__setattr__(self, "_trunkline_packed", packed)

    def pack(self) -> bytes:
        packed: bytes = self.__dict__["_trunkline_packed"]
        return packed


@dataclass(slots=True)
class _Unacknowledged:
    mid: int
    done: bool = False


class _Connection:
    """One connection, from CONNECT to its end."""

    def __init__(self, endpoint: Endpoint, options: BusOptions, login: Login, handler: Handler) -> None:
        self._loop = asyncio.get_running_loop()
        self._endpoint = endpoint
        self._options = options
        self._login = login
        self._handler = handler
        self._connack: asyncio.Future[tuple[int, bool, Properties | None]] = self._loop.create_future()
        self._lost: asyncio.Future[BusError] = self._loop.create_future()
        self._closed = asyncio.Event()
        self._closing = False
        self._welcome: Welcome | None = None
        self._answers: dict[int, tuple[asyncio.Future[int], float]] = {}
        self._window = asyncio.Semaphore(options.publish_window)
        self._unacknowledged: deque[_Unacknowledged] = deque()
        self._handlers: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.TimerHandle | None = None
        self._descriptor = -1
        self._dropped = 0
        self._paused = False
        self._client = self._make_client()

    @property
    def welcome(self) -> Welcome:
        if self._welcome is None:
            raise RuntimeError("not connected yet")
        return self._welcome

    @property
    def lost(self) -> asyncio.Future[BusError]:
        return self._lost

    # -- connecting ----------------------------------------------------------------------------------------------

    def _make_client(self) -> paho.Client:
        transport: Literal["unix", "tcp"] = "unix" if self._endpoint.socket is not None else "tcp"
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._login.client_id,
            protocol=paho.MQTTv5,
            transport=transport,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = self._options.deadline_s
        client.max_inflight_messages_set(0)  # the window here is the bound
        if self._login.user:
            client.username_pw_set(self._login.user, self._login.password)
        if self._endpoint.tls is not None:
            client.tls_set_context(self._endpoint.tls)
        will = self._login.will
        if will is not None:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_answer_list
        client.on_unsubscribe = self._on_answer_list
        return client

    async def open(self) -> None:
        """Connect and wait for the broker's answer; leave nothing behind on failure or cancellation."""
        connecting = asyncio.create_task(asyncio.to_thread(self._connect_blocking), name="mqtt-connect")
        try:
            await asyncio.shield(connecting)
            self._attach()
            async with asyncio.timeout(self._options.deadline_s):
                reason, session_present, granted = await self._connack
        except (OSError, ValueError) as error:  # TimeoutError is an OSError, an ssl.SSLError too
            self._abort()
            raise BusUnreachableError(address=str(self._endpoint), reason=str(error) or "no answer in time") from error
        except BusError:
            self._abort()
            raise
        except asyncio.CancelledError:
            if connecting.done():
                self._abort()
            else:
                connecting.add_done_callback(self._abort_late)
            raise
        if reason >= Reason.UNSPECIFIED:
            self._abort()
            raise BusRefusedError(reason=reason)
        self._welcome = Welcome(
            session_present=session_present,
            max_packet_bytes=getattr(granted, "MaximumPacketSize", None),
            receive_maximum=getattr(granted, "ReceiveMaximum", 65535),
            max_qos=getattr(granted, "MaximumQoS", 2),
            retain_available=bool(getattr(granted, "RetainAvailable", 1)),
        )
        self._window = asyncio.Semaphore(min(self._options.publish_window, self._welcome.receive_maximum))

    def _connect_blocking(self) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._login.session_expiry_s
        properties.ReceiveMaximum = self._options.receive_window
        properties.MaximumPacketSize = self._options.max_packet_bytes
        host = self._endpoint.host
        if self._endpoint.socket is not None:
            host = str(self._endpoint.socket)
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:  # paho leaves its own open when refused
                trial.settimeout(self._options.deadline_s)
                trial.connect(host)
        self._client.connect(
            host,
            self._endpoint.port or 1,  # a unix socket has none, but paho insists
            keepalive=self._options.keepalive_s,
            clean_start=self._login.clean_start,
            properties=properties,
        )

    def _attach(self) -> None:
        # Only now, so that every callback comes on the event loop.
        connected: Any = self._client.socket()
        if connected is None:
            raise OSError("the broker closed the connection at once")
        self._descriptor = connected.fileno()
        self._client.on_socket_close = self._on_socket_close
        self._client.on_socket_register_write = self._on_want_write
        self._client.on_socket_unregister_write = self._on_wrote_all
        self._loop.add_reader(self._descriptor, self._readable)
        if self._client.want_write():
            self._loop.add_writer(self._descriptor, self._writable)
        self._ticker = self._loop.call_later(_TICK_S, self._tick)

    # -- use -----------------------------------------------------------------------------------------------------

    async def publish(self, publication: Publication) -> int:
        packed = encode_properties(publication)
        topic_bytes = len(publication.topic.encode())
        size = _FIXED_OVERHEAD + topic_bytes + len(packed) + len(publication.payload)
        limit = self.welcome.max_packet_bytes
        if size > min(limit or self._options.max_packet_bytes, self._options.max_packet_bytes):
            return Reason.PACKET_TOO_LARGE
        if publication.qos == 0:
            self._raise_if_lost()
            self._client.publish(publication.topic, publication.payload, 0, publication.retain, _Packed(packed))
            return Reason.SUCCESS
        async with self._window:
            self._raise_if_lost()
            info = self._client.publish(publication.topic, publication.payload, 1, publication.retain, _Packed(packed))
            return await self._answer(info.rc, info.mid)

    async def subscribe(self, pattern: str, *, retain_handling: int = 2, no_local: bool = True) -> int:
        self._raise_if_lost()
        options = SubscribeOptions(qos=1, noLocal=no_local, retainAsPublished=True, retainHandling=retain_handling)
        code, mid = self._client.subscribe(pattern, options=options)
        return await self._answer(code, mid)

    async def unsubscribe(self, pattern: str) -> int:
        self._raise_if_lost()
        code, mid = self._client.unsubscribe(pattern)
        return await self._answer(code, mid)

    async def _answer(self, code: MQTTErrorCode, mid: int | None) -> int:
        if code is not MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
            self._fail(BusLostError(reason=paho.error_string(code)))
            self._raise_if_lost()
        future: asyncio.Future[int] = self._loop.create_future()
        key = mid or 0
        self._answers[key] = (future, self._loop.time() + self._options.deadline_s)
        try:
            return await future
        finally:
            del self._answers[key]

    def _raise_if_lost(self) -> None:
        if self._lost.done():
            raise lost_by(self._lost.result())
        if self._closing:
            raise BusLostError(reason="it is being closed")

    # -- ending --------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Let handlers finish, say goodbye, and close the socket in any case."""
        grace_s = min(2.0, self._options.deadline_s)
        if not self._lost.done() and self._handlers:
            await asyncio.wait(self._handlers, timeout=grace_s)
        self._closing = True
        for task in tuple(self._handlers):
            task.cancel()
        if self._handlers:
            await asyncio.wait(self._handlers, timeout=grace_s)
        if not self._lost.done():
            self._client.disconnect()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self._closed.wait()
        self._abort()
        if not self._lost.done():
            self._lost.cancel()

    def _abort(self) -> None:
        # Without a goodbye, so that the broker publishes the will unless one was said.
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
        self._forget_socket()
        self._client.on_socket_close = None
        self._client.on_socket_register_write = None
        self._client.on_socket_unregister_write = None
        connected: Any = self._client.socket()
        if connected is not None:
            connected.close()

    def _abort_late(self, connecting: asyncio.Task[None]) -> None:
        if not connecting.cancelled() and connecting.exception() is not None:
            log.debug("a cancelled connect failed", reason=str(connecting.exception()))
        self._abort()

    def _fail(self, error: BusError) -> None:
        if self._lost.done() or self._closing:
            return
        self._lost.set_result(error)
        if not self._connack.done():
            self._connack.set_exception(error)
        for future, _ in self._answers.values():
            if not future.done():
                future.set_exception(lost_by(error))
        self._abort()

    def _forget_socket(self) -> None:
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
            self._descriptor = -1

    def _tick(self) -> None:
        self._ticker = self._loop.call_later(_TICK_S, self._tick)
        self._client.loop_misc()  # pings; a missing answer ends in _on_disconnect
        now = self._loop.time()
        if any(deadline < now for _, deadline in self._answers.values()):
            self._fail(BusLostError(reason=f"no acknowledgement within {self._options.deadline_s} s"))

    # -- called by the event loop --------------------------------------------------------------------------------

    def _readable(self) -> None:
        if not self._paused and self._descriptor >= 0:
            self._turn(self._read_all)

    def _writable(self) -> None:
        self._turn(self._client.loop_write)

    def _read_all(self) -> MQTTErrorCode:
        while True:
            code = self._client.loop_read()
            connected = self._client.socket()
            # TLS may hold decoded bytes for which the descriptor will never become readable again.
            if code is not MQTTErrorCode.MQTT_ERR_SUCCESS or not isinstance(connected, ssl.SSLSocket):
                return code
            if connected.pending() == 0 or self._paused:
                return code

    def _turn(self, step: Callable[[], MQTTErrorCode]) -> None:
        try:
            code = step()
        except (OSError, ValueError, LookupError, TypeError, struct.error, MQTTException) as error:
            self._fail(BusLostError(reason=f"{type(error).__name__}: {error}"))
            return
        if code is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._fail(BusLostError(reason=paho.error_string(code)))

    # -- called by paho ------------------------------------------------------------------------------------------

    def _on_socket_close(self, _client: paho.Client, _data: object, _socket: object) -> None:
        self._forget_socket()
        self._closed.set()

    def _on_want_write(self, _client: paho.Client, _data: object, _socket: object) -> None:
        if self._descriptor >= 0:
            self._loop.add_writer(self._descriptor, self._writable)

    def _on_wrote_all(self, _client: paho.Client, _data: object, _socket: object) -> None:
        if self._descriptor >= 0:
            self._loop.remove_writer(self._descriptor)

    def _on_connect(
        self,
        _client: paho.Client,
        _data: object,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if not self._connack.done():
            self._connack.set_result((reason.value, flags.session_present, properties))

    def _on_disconnect(
        self,
        _client: paho.Client,
        _data: object,
        flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server and reason.value == Reason.SESSION_TAKEN_OVER:
            self._fail(BusTakenOverError(client_id=self._login.client_id))
        else:
            self._fail(BusLostError(reason=f"{reason.getName()} (0x{reason.value:02x})"))

    def _on_publish(
        self, _client: paho.Client, _data: object, mid: int, reason: ReasonCode, _properties: Properties
    ) -> None:
        self._settle(mid, reason.value)

    def _on_answer_list(
        self,
        _client: paho.Client,
        _data: object,
        mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self._settle(mid, reasons[0].value if reasons else Reason.SUCCESS)

    def _settle(self, mid: int, reason: int) -> None:
        future, _ = self._answers.get(mid, (None, 0.0))
        if future is not None and not future.done():
            future.set_result(reason)

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        if len(self._handlers) >= self._options.receive_window and message.qos == 0:
            self._dropped += 1
            if self._dropped in (1, 1000):
                log.warning("deliveries without QoS dropped, the window is full", dropped=self._dropped)
            return
        properties = message.properties
        delivery = Delivery(
            topic=message.topic,
            payload=bytes(message.payload),
            qos=message.qos,
            retain=bool(message.retain),
            duplicate=bool(message.dup),
            response_topic=getattr(properties, "ResponseTopic", ""),
            correlation=getattr(properties, "CorrelationData", None),
            user=tuple(getattr(properties, "UserProperty", ())),
        )
        entry = _Unacknowledged(message.mid)
        if message.qos > 0:
            self._unacknowledged.append(entry)
        task = self._loop.create_task(self._handle(delivery, entry), name=f"mqtt-delivery:{message.mid}")
        self._handlers.add(task)
        task.add_done_callback(self._handled)
        if len(self._handlers) >= self._options.receive_window * _WINDOWS_TAKEN and self._descriptor >= 0:
            self._paused = True
            self._loop.remove_reader(self._descriptor)

    async def _handle(self, delivery: Delivery, entry: _Unacknowledged) -> None:
        await self._handler(delivery)
        entry.done = True
        while self._unacknowledged and self._unacknowledged[0].done and not self._lost.done():
            self._client.ack(self._unacknowledged.popleft().mid, 1)

    def _handled(self, task: asyncio.Task[None]) -> None:
        self._handlers.discard(task)
        if self._paused and self._descriptor >= 0 and len(self._handlers) <= self._options.receive_window:
            self._paused = False
            self._loop.add_reader(self._descriptor, self._readable)
            self._loop.call_soon(self._readable)  # what TLS has decoded already makes no descriptor readable
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            log.error("delivery not handled, it will come again", reason=f"{type(error).__name__}: {error}")
            self._fail(BusLostError(reason=f"a delivery could not be handled ({type(error).__name__})"))
