"""Push-to-talk and squelch on the handshake lines of a serial port. Pure: time and the port are arguments.

RTS or DTR keys; CTS, DSR or DCD tells the squelch. Two rules keep a radio with such an interface from harm:

- **Lease**: as for every transmitter, see :mod:`trunks.radio.lease`.
- **Anti-lock**: while this side transmits, and for a moment after, the squelch is not believed, because the
  transmitter's own field opens it; otherwise two patched channels would key each other for ever.
"""

from collections.abc import Iterable
from typing import Literal, Protocol

from trunks.radio.keyer_messages import (
    Answer,
    Command,
    FromKeyer,
    Key,
    Renew,
    Squelch,
    ToKeyer,
    Transmitter,
    Unkey,
)
from trunks.radio.lease import Lease

ANTI_LOCK_S = 0.2
OPEN_S = 0.04
CLOSE_S = 0.1
POLL_S = 0.02
"""How often the squelch line is looked at; Linux has no portable way to wait for it together with a socket."""


class ModemLines(Protocol):
    """The part of a serial port that this needs."""

    def set_lines(self, lines: Iterable[Literal["rts", "dtr"]], *, on: bool) -> None:
        """Raise or lower *lines*; raise the port's error when it is gone."""
        ...

    def line(self, line: Literal["cts", "dsr", "dcd"]) -> bool:
        """Return whether *line* is raised from outside."""
        ...


class SquelchRule:
    """Turns a chattering line into a squelch: open after :data:`OPEN_S`, closed after :data:`CLOSE_S`."""

    def __init__(self, *, inverted: bool = False) -> None:
        self._inverted = inverted
        self._wanted = False
        self._since_s = 0.0
        self._deaf_until_s = float("-inf")
        self.open = False

    def see(self, *, raised: bool, transmitting: bool, now_s: float) -> bool | None:
        """Take one look at the line; return the new state when it changed."""
        if transmitting:
            self._deaf_until_s = now_s + ANTI_LOCK_S
        wanted = (raised != self._inverted) and now_s >= self._deaf_until_s
        if wanted != self._wanted:
            self._wanted, self._since_s = wanted, now_s
        waited_s = now_s - self._since_s
        if wanted != self.open and waited_s >= (OPEN_S if wanted else CLOSE_S):
            self.open = wanted
            return wanted
        return None


class LinesKeyer:
    """Owns the lines of one transmitter. An error of the port is raised to the process, which then ends."""

    def __init__(
        self,
        port: ModemLines,
        *,
        ptt_lines: tuple[Literal["rts", "dtr"], ...] = ("rts",),
        squelch_line: Literal["cts", "dsr", "dcd", ""] = "",
        squelch_inverted: bool = False,
        sound_device: str = "",
        lease: Lease | None = None,
    ) -> None:
        self._port = port
        self._ptt_lines = ptt_lines
        self._squelch_line = squelch_line
        self._squelch = SquelchRule(inverted=squelch_inverted)
        self._sound_device = sound_device
        self._lease = lease or Lease()
        self._messages: list[FromKeyer] = []
        self._keyed = False
        self._next_look_s = 0.0
        self.gone = False
        port.set_lines(ptt_lines, on=False)

    @property
    def released(self) -> bool:
        """Whether the lines are lowered."""
        return not self._keyed

    def messages(self) -> list[FromKeyer]:
        """Return the packets for the parent, once."""
        told, self._messages = self._messages, []
        return told

    def deadline_s(self) -> float | None:
        """Return when :meth:`tick` must be called at the latest."""
        lease = self._lease.deadline_s()
        if not self._squelch_line:
            return lease
        return self._next_look_s if lease is None else min(lease, self._next_look_s)

    def told(self, message: ToKeyer, now_s: float) -> None:
        """Take a packet of the parent."""
        match message:
            case Key():
                self._key(message, now_s)
            case Renew():
                self._lease.renew(message.holder, now_s)
            case Unkey():
                self._lease.give_up()
                self._lower("let_go")
                self._messages.append(Answer(message.id, "ok"))
            case Command():
                self._messages.append(Answer(message.id, "refused", "no_data_protocol"))
            case _:
                pass
        self.tick(now_s)

    def parent_gone(self, now_s: float) -> None:
        """The parent died, or closed its end."""
        del now_s
        self.gone = True
        self._lease.give_up()
        self._lower("parent_gone")

    def tick(self, now_s: float) -> None:
        """Do what time asks for."""
        reason = self._lease.due(now_s)
        if reason:
            self._lease.end(reason)
            self._lower(reason)
        if self._squelch_line and now_s >= self._next_look_s:
            self._next_look_s = now_s + POLL_S
            raised = self._port.line(self._squelch_line)
            changed = self._squelch.see(raised=raised, transmitting=self._keyed, now_s=now_s)
            if changed is not None:
                self._messages.append(Squelch(changed))

    def _key(self, message: Key, now_s: float) -> None:
        reason = "sound_device_mismatch" if self._sound_device not in ("", message.sound_device) else ""
        reason = reason or self._lease.take(message.holder, now_s)
        if reason:
            self._messages.append(Answer(message.id, "refused", reason))
            return
        if not self._keyed:
            self._keyed = True  # first, so that a failure on the way is un-keyed too
            self._port.set_lines(self._ptt_lines, on=True)
            self._messages.append(Transmitter("keyed", message.holder))
        self._messages.append(Answer(message.id, "ok"))

    def _lower(self, reason: str) -> None:
        self._port.set_lines(self._ptt_lines, on=False)
        if self._keyed:
            self._keyed = False
            self._messages.append(Transmitter("idle", reason))
