"""One connection to Asterisk's manager interface: bytes, actions that wait for their answers, and nothing else.

A session lives once. When it ends, everything that waits on it fails at that moment and is never sent again: an
Originate repeated after a reconnect would make a telephone ring for a caller who is long gone.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

import structlog

from gateway.asterisk.ami_codec import AmiCodec, AmiMessage, encode
from gateway.asterisk.errors import (
    AmiDeadlineError,
    AmiLostError,
    AmiProtocolError,
    AmiRefusedError,
    AmiUnavailableError,
)
from gateway.core.clock import Clock

log = structlog.get_logger(__name__)

READ_BYTES = 64 * 1024
"""Most that is read and dispatched in one turn of the loop, some 150 messages: a flood delays, it does not block."""
PENDING_LIMIT = 1000
LIST_LIMIT = 50_000

_LIST_END = frozenset({"Complete", "cancelled"})
_EMPTY_LISTS = frozenset({"No active conferences."})  # an error to Asterisk, an empty list to everyone else

Header = str | Iterable[str]


@dataclass(slots=True)
class _Pending:
    action: str
    answer: asyncio.Future[AmiMessage]
    items: list[AmiMessage] | None = None
    written: bool = field(default=False)


class AmiSession(asyncio.BufferedProtocol):
    """The protocol of one connection. *dispatch* gets each event, *on_gap* is told when messages were dropped."""

    def __init__(
        self,
        clock: Clock,
        dispatch: Callable[[AmiMessage], None],
        on_gap: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._dispatch = dispatch
        self._on_gap = on_gap
        self._codec = AmiCodec()
        self._dropped = 0
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._transport: asyncio.Transport | None = None
        self._pending: dict[str, _Pending] = {}
        self._lists: dict[str, _Pending] = {}
        self._prefix = secrets.token_hex(4)
        self._count = 0
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[str] = loop.create_future()
        """Set, with the reason, once the connection is gone."""
        self._greeted: asyncio.Future[str] = loop.create_future()
        self._writable = asyncio.Event()
        self._writable.set()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        self._transport = cast("asyncio.Transport", transport)  # what create_connection hands over

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # asyncio's signature
        """Return the one buffer that is read into."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Dispatch the messages that the new bytes complete."""
        codec = self._codec
        messages = codec.feed(bytes(self._buffer[:nbytes]))
        if codec.greeting is not None and not self._greeted.done():
            self._greeted.set_result(codec.greeting)
        for message in messages:
            if message.event and not (self._lists and self._collect(message)):
                self._dispatch(message)
            elif message.response:
                self._answer(message)
        if codec.garbage + codec.oversize != self._dropped:
            self._dropped = codec.garbage + codec.oversize
            log.warning("unusable data from asterisk", garbage=codec.garbage, oversize=codec.oversize)
            self._on_gap("unusable data was dropped")

    def eof_received(self) -> None:
        """Let the transport close."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail everything that waits."""
        self.end("the connection was closed" if exc is None else str(exc))

    def pause_writing(self) -> None:
        """Asterisk does not read: actions wait, and are known not to have been written."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Asterisk reads again."""
        self._writable.set()

    # the gateway's side

    async def greeting(self) -> str:
        """Wait for the first line; raise :class:`AmiProtocolError` when it is not Asterisk's."""
        await asyncio.wait([self._greeted, self.ended], return_when=asyncio.FIRST_COMPLETED)
        if not self._greeted.done():
            raise AmiUnavailableError(reason=self.ended.result())
        greeting = self._greeted.result()
        if not greeting.startswith("Asterisk Call Manager/"):
            raise AmiProtocolError(reason=f"its greeting is {greeting[:60]!r}")
        return greeting

    def end(self, reason: str) -> None:
        """Close at once. Harmless when it has ended."""
        if self.ended.done():
            return
        self.ended.set_result(reason)
        self._writable.set()
        if self._transport is not None:
            self._transport.abort()
        waiting, self._pending, self._lists = self._pending, {}, {}
        for pending in waiting.values():
            if not pending.answer.done():
                pending.answer.set_exception(
                    AmiLostError(action=pending.action, reason=reason, outcome_unknown=pending.written)
                )

    async def action(
        self, action: str, headers: Mapping[str, Header], *, deadline_s: float, collect: bool = False
    ) -> tuple[AmiMessage, list[AmiMessage]]:
        """Send one action and return its response, and with *collect* the events of its list."""
        if len(self._pending) >= PENDING_LIMIT:
            raise AmiUnavailableError(reason=f"{PENDING_LIMIT} actions are waiting")
        self._count += 1
        action_id = f"{self._prefix}-{self._count}"
        wire = encode(action, {"ActionID": action_id, **headers})
        pending = _Pending(action, asyncio.get_running_loop().create_future(), [] if collect else None)
        try:
            async with self._clock.timeout(deadline_s):
                await self._send(action_id, pending, wire)
                answer = await pending.answer
        except TimeoutError as error:
            if not pending.written:
                raise AmiUnavailableError(reason=f"Asterisk took no data for {deadline_s} s") from error
            raise AmiDeadlineError(action=action, timeout_s=deadline_s) from error
        finally:
            self._pending.pop(action_id, None)
            self._lists.pop(action_id, None)
        reason = answer.get("Message")
        if answer.response == "Error" and not (collect and reason in _EMPTY_LISTS):
            raise AmiRefusedError(action=action, reason=reason or "no reason given")
        return answer, pending.items or []

    async def _send(self, action_id: str, pending: _Pending, wire: bytes) -> None:
        while not self._writable.is_set() and not self.ended.done():
            await self._writable.wait()
        if self.ended.done() or self._transport is None:
            raise AmiLostError(action=pending.action, reason=self._reason(), outcome_unknown=False)
        self._pending[action_id] = pending
        if pending.items is not None:
            self._lists[action_id] = pending
        pending.written = True
        self._transport.write(wire)

    def _reason(self) -> str:
        return self.ended.result() if self.ended.done() else "it is not connected"

    def _collect(self, message: AmiMessage) -> bool:
        """Keep *message* when it belongs to a list that is being read; tell whether it did."""
        if b"\r\nActionID: " not in message.raw:
            return False
        pending = self._lists.get(message.action_id)
        if pending is None or pending.items is None:
            return False
        if message.get("EventList") in _LIST_END:
            if not pending.answer.done():
                pending.answer.set_result(message)
        elif len(pending.items) < LIST_LIMIT:
            pending.items.append(message)
        elif not pending.answer.done():
            pending.answer.set_exception(AmiProtocolError(reason=f"a list of more than {LIST_LIMIT} items"))
        return True

    def _answer(self, message: AmiMessage) -> None:
        pending = self._pending.get(message.action_id)
        if pending is None:
            log.debug("answer to no action", response=message.response, message=message.get("Message")[:100])
        elif pending.items is not None and message.response != "Error" and message.get("EventList"):
            return  # the list follows
        elif not pending.answer.done():
            pending.answer.set_result(message)
