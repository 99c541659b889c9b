"""The server's side of one connection: who the kernel says is there, and how long it may stall."""

import asyncio
import socket
import struct
from dataclasses import dataclass
from typing import Any, ClassVar

import h11
from litestar.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_PEER = "trunkline.peer"
_UCRED = struct.Struct("3i")  # struct ucred: pid, uid, gid; see unix(7), SO_PEERCRED


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end of the local socket, as it was when it connected."""

    pid: int
    uid: int
    gid: int


def peer_of(scope: Scope) -> Peer | None:
    """Return who is at the other end of the local socket; ``None`` for a connection over TCP.

    It comes from the connection's own state, which no part of a request can write.
    """
    peer = scope.get("state", {}).get(_PEER)
    return peer if isinstance(peer, Peer) else None


def peer_credentials(connection: socket.socket) -> Peer:
    """Ask the kernel who connected; raises ``OSError``."""
    return Peer(*_UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)))


class PatientProtocol(H11Protocol):
    """HTTP/1.1 on one connection. A client that stalls longer than ``STALL_S`` is cut off.

    Stalling is: not finishing the head of a request, sending nothing more of its body, or not taking the answer.
    """

    STALL_S: ClassVar[float] = 15.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note who is there."""
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family == socket.AF_UNIX:
            try:
                peer = peer_credentials(connection)
            except OSError:
                transport.abort()
                return
            self.app_state: dict[str, Any] = {**self.app_state, _PEER: peer}
        self._watch_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        self._stop_reading()
        self._stop_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request."""
        if self.conn.their_state is not h11.IDLE:  # the head has one deadline for all of it, a body for each piece
            self._stop_reading()
        super().data_received(data)
        self._watch_reading()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; hang up where another answer is under way, which a second one would be taken for."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()
        else:
            super().send_400_response(msg)

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        super().on_response_complete()
        self._stop_reading()
        # An idle connection is closed by the keep-alive timer; a request that has begun is watched from its first byte.
        if self.conn.their_state is h11.SEND_BODY:
            self._watch_reading()

    def pause_writing(self) -> None:
        """The client takes less than it is sent."""
        super().pause_writing()
        if self._writing is None:
            self._writing = self.loop.call_later(self.STALL_S, self.transport.abort)

    def resume_writing(self) -> None:
        """The client takes its answer again."""
        self._stop_writing()
        super().resume_writing()

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _stop_writing(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def _watch_reading(self) -> None:
        awaited = self.conn.their_state in (h11.IDLE, h11.SEND_BODY) and not self.transport.is_closing()
        if not awaited:
            self._stop_reading()
        elif self._reading is None:
            self._reading = self.loop.call_later(self.STALL_S, self._stalled)

    def _stalled(self) -> None:
        self._reading = None
        if self.flow.read_paused:  # it is the handler that takes its time, not the client
            self._watch_reading()
        else:
            self.transport.abort()


def patient(stall_s: float) -> type[PatientProtocol]:
    """Return the protocol with a deadline of *stall_s* seconds."""
    return type("PatientProtocol", (PatientProtocol,), {"STALL_S": stall_s})
