r"""What keeps a TETRA radio from staying keyed, without I/O: time, octets and packets are arguments.

Laws, property-tested over any interleaving of packets, partial writes, answers and time:

1. Whatever might have keyed the radio (a demand, a call) is followed on the wire by ``AT+CUTXC`` or ``ATH`` as soon as
   its lease lapses, its hard limit is reached, its holder lets go or the parent is gone.
2. A release overtakes every other command. A line that is half written is first made senseless and ended (``=`` CR,
   which no command means), so that it is not obeyed in part; half-written data are ended by ESC and Ctrl-Z.
3. A release is repeated until the radio confirms it; a radio that does not is told as ``stuck``, and goes on being told
   to cease.
4. A grant that arrives when nobody holds the lease is released at once.
5. Nothing keys but :class:`Key`, and that only when the radio's identity and the sound device are the configured ones.
   A call is no key-up when the radio has confirmed that it begins without speaking; answering is none in simplex.
"""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from trunks.radio.keyer_messages import (
    Answer,
    Command,
    FromKeyer,
    Heard,
    Key,
    Recover,
    Renew,
    ToKeyer,
    Transmitter,
    Unkey,
)
from trunks.radio.lease import Lease
from trunks.radio.pei import Final, Indication, Line, PeiCodec
from trunks.radio.pei_commands import cease
from trunks.radio.pei_tables import Dialect, ErrorCode, Grant

CONFIRM_S = 0.15
"""How long a release may go unanswered before it is said again."""
STUCK_TRIES = 3
SETTLE_S = 0.5
"""How long releases are repeated at the quick pace; after that every half second."""
_QUEUE_LIMIT = 64
_ANSWER_LIMIT = 64
_LATE_LIMIT = 3
_KEYING = re.compile(r"\s*AT\s*(D|A\s*$|\+CTXD)|;|&", re.IGNORECASE)
_PLAIN = re.compile(r"AT[ -~]{0,256}")
_DIGITS = re.compile(r"[0-9A-Fa-f]{0,1024}")
_DIAL = re.compile(r"ATD\d{1,24}")
_PARAMETERS = re.compile(r"AT\+CTSDC=([\d,]*)")
_SIMPLEX, _TRANSMIT = 4, 8
_DEMAND = re.compile(r"AT\+CTXD=(\d{1,3}),[0-3]")
_DATA_END = b"\x1b\x1a\r"
_LINE_END = b"=\r"


@dataclass(slots=True)
class _Running:
    """A command on its way: *written* of its octets have left, the first *line_octets* of which are its line."""

    id: int
    octets: bytes
    line_octets: int
    until_s: float
    keying: bool
    written: int = 0
    lines: list[str] = field(default_factory=list)
    indications: list[Indication] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return self.written == len(self.octets)


class PeiKeyer:
    """Owns what is said to one radio. The process around it moves octets and packets, and asks :meth:`deadline_s`."""

    def __init__(
        self,
        *,
        identity: str = "",
        sound_device: str = "",
        dialect: Dialect = Dialect.PLAIN,
        lease: Lease | None = None,
        port_in_place: Callable[[], bool] = lambda: True,
    ) -> None:
        self._identity = identity
        self._sound_device = sound_device
        self._port_in_place = port_in_place
        self._lease = lease or Lease()
        self._codec = PeiCodec(dialect)
        self._seen_identity = ""
        self._queue: deque[Command | Key] = deque()
        self._running: _Running | None = None
        self._urgent = bytearray()
        self._messages: list[FromKeyer] = []
        self._exposed = False  # something was written that may have keyed, and no release was confirmed since
        self._instance: int | None = None
        self._dialled = False
        self._calls_quietly = False  # the radio said OK to call parameters that do not transmit
        self._duplex: set[int] = set()  # incoming calls that would transmit once answered
        self._releasing = False
        self._tries = 0
        self._again_s = 0.0
        # Answers that may still come for what a release overtook. They are never forgotten while it lasts: an answer of
        # something else must not pass for its confirmation, and one repetition too many hurts nobody.
        self._strange = 0
        self._late = 0  # of commands that were given up
        self._quiet_until_s = 0.0
        self._unkeys: list[int] = []
        self._state = "idle"
        self._recovering = False
        self.gone = False
        """Whether the parent is gone; nothing is taken from it any more."""

    def recover(self, now_s: float) -> None:
        """Release whatever a keyer that died may have left keyed. A radio that does not answer is let be."""
        self._exposed = self._recovering = True
        self._release("recover", now_s)

    # What the process asks for

    @property
    def released(self) -> bool:
        """Whether nothing that was written can be keying the radio."""
        return not self._exposed

    def output(self) -> bytes:
        """Return the octets to be written next."""
        if self._urgent:
            return bytes(self._urgent)
        return b"" if self._running is None else self._running.octets[self._running.written :]

    def last_words(self) -> bytes:
        """Return what ends everything, for a process that can do nothing else any more; nothing if nothing is keyed."""
        if not self._exposed:
            return b""
        release = b"" if self._instance is None else cease(self._instance).encode() + b"\r"
        return _DATA_END + _LINE_END + release + b"ATH\r"

    def wrote(self, count: int) -> None:
        """Say that *count* octets of :meth:`output` have left."""
        if self._urgent:
            del self._urgent[:count]
            return
        running = self._running
        if running is not None and count:
            running.written += count
            if running.keying:
                self._exposed = True

    def messages(self) -> list[FromKeyer]:
        """Return the packets for the parent, once."""
        told, self._messages = self._messages, []
        return told

    def deadline_s(self) -> float | None:
        """Return when :meth:`tick` must be called at the latest."""
        times = [self._lease.deadline_s()]
        if self._releasing:
            times.append(self._again_s)
        if self._running is not None:
            times.append(self._running.until_s)
        elif self._queue:
            times.append(self._quiet_until_s)
        return min((time for time in times if time is not None), default=None)

    # What happens

    def told(self, message: ToKeyer, now_s: float) -> None:
        """Take a packet of the parent."""
        match message:
            case Command():
                self._take_command(message)
            case Key():
                self._take_key(message, now_s)
            case Renew():
                self._lease.renew(message.holder, now_s)
            case Recover():
                self.recover(now_s)
            case Unkey():
                self._unkeys.append(message.id)
                self._lease.give_up()
                self._release("let_go", now_s)
            case _:
                pass
        self.tick(now_s)

    def parent_gone(self, now_s: float) -> None:
        """The parent died, or closed its end."""
        self.gone = True
        self._queue.clear()
        self._lease.give_up()
        self._release("parent_gone", now_s)

    def heard(self, data: bytes, now_s: float) -> None:
        """Take octets of the radio."""
        for event in self._codec.feed(data):
            match event:
                case Final():
                    self._final(event, now_s)
                case Indication():
                    self._indication(event, now_s)
                case Line():
                    if self._running is not None and len(self._running.lines) < _ANSWER_LIMIT:
                        self._running.lines.append(event.text)
        self.tick(now_s)

    def tick(self, now_s: float) -> None:
        """Do what time asks for."""
        reason = self._lease.due(now_s)
        if reason:
            self._lease.end(reason)
            self._release(reason, now_s)
        if self._releasing and now_s >= self._again_s:
            self._say_release(now_s)
        running = self._running
        if running is not None and now_s >= running.until_s:
            self._finish("timeout")
            self._late = min(self._late + 1, _LATE_LIMIT)
            if not running.complete:
                self._urgent += _DATA_END if running.written >= running.line_octets else _LINE_END
        self._start(now_s)

    # Commands

    def _take_command(self, message: Command) -> None:
        if _KEYING.search(message.line) and not self._is_quiet(message.line):
            self._refuse(message.id, "keying_command")
        elif not _PLAIN.fullmatch(message.line) or not _DIGITS.fullmatch(message.data):
            self._refuse(message.id, "not_a_command")
        elif len(self._queue) >= _QUEUE_LIMIT:
            self._refuse(message.id, "too_many")
        else:
            self._queue.append(message)

    def _is_quiet(self, line: str) -> bool:
        if _DIAL.fullmatch(line):
            return self._calls_quietly
        return line == "ATA" and not self._duplex

    def _take_key(self, message: Key, now_s: float) -> None:
        reason = self._why_not(message) or self._lease.take(message.holder, now_s)
        if reason:
            self._refuse(message.id, reason)
        else:
            self._queue.appendleft(message)

    def _why_not(self, message: Key) -> str:  # one for each reason
        if self._releasing:
            return "releasing"
        if not (_DIAL.fullmatch(message.line) or _DEMAND.fullmatch(message.line)):
            return "not_a_key_up"
        if self._is_busy(message.line):
            return "busy"
        if self._identity and self._seen_identity != self._identity:
            return "identity_mismatch" if self._seen_identity else "identity_unknown"
        if self._sound_device and message.sound_device != self._sound_device:
            return "sound_device_mismatch"
        return "" if self._port_in_place() else "port_mismatch"

    def _is_busy(self, line: str) -> bool:
        """Tell whether another transmission is asked for already; the same call may be demanded again."""
        waiting = any(isinstance(message, Key) for message in self._queue)
        running = self._running is not None and self._running.keying
        demand = _DEMAND.match(line)
        same = demand is not None and int(demand[1]) == self._instance
        return waiting or running or (self._exposed and not same)

    def _refuse(self, number: int, reason: str) -> None:
        self._messages.append(Answer(number, "refused", reason))

    def _start(self, now_s: float) -> None:
        if self._running is not None or self._releasing or self._urgent or not self._queue:
            return
        if now_s < self._quiet_until_s:
            return
        message = self._queue.popleft()
        if isinstance(message, Key) and self._lease.holder != message.holder:
            self._refuse(message.id, "lapsed")
            return
        line = message.line.encode("ascii") + b"\r"
        data = b"" if isinstance(message, Key) or not message.data else b"\n" + message.data.encode("ascii") + b"\x1a"
        keying = isinstance(message, Key)
        if keying:
            demand = _DEMAND.match(message.line)
            self._instance = int(demand[1]) if demand else None
            self._dialled = demand is None
        if message.line.upper().startswith("AT+CNUMF"):
            self._seen_identity = ""
        self._running = _Running(message.id, line + data, len(line), now_s + message.timeout_s, keying)

    def _finish(self, outcome: str, final: Final | None = None) -> None:
        running = self._running
        if running is None:
            return
        self._running = None
        self._messages.append(
            Answer(
                running.id,
                outcome,  # type: ignore[arg-type]  # one of the literals
                final.text if final else "",
                final.code if final else None,
                tuple(running.lines),
                tuple(running.indications),
            )
        )

    # What the radio says

    def _final(self, final: Final, now_s: float) -> None:
        if self._releasing:
            if self._strange:
                self._strange -= 1  # of what the release overtook
            elif self._urgent:
                pass  # the release is not said yet
            elif final.code == ErrorCode.NOT_IN_THIS_STATE and self._dialled:
                # It is not this call that was dialled; which one it is, only hanging up need not know.
                self._instance = None
                self._say_release(now_s)
            elif final.ok or final.code == ErrorCode.NOT_IN_THIS_STATE:
                self._confirmed(now_s)
            return
        running = self._running
        if running is None or not running.complete:
            return
        if parameters := _PARAMETERS.match(running.octets.decode("ascii", "replace")):
            fields = parameters[1].split(",")
            quiet = len(fields) > _TRANSMIT and (fields[_SIMPLEX], fields[_TRANSMIT]) == ("1", "0")
            self._calls_quietly = final.ok and quiet
        if running.keying and final.ok and self._lease.holder:
            self._tell("keyed", self._lease.holder)
        if running.keying and not final.ok:
            # What was refused has not keyed; but nobody is hurt by a release too many.
            self._finish("error", final)
            self._lease.end("refused")
            self._release("refused", now_s)
            return
        self._finish("ok" if final.ok else "error", final)

    def _indication(self, event: Indication, now_s: float) -> None:
        self._messages.append(Heard(event))
        if self._running is not None and len(self._running.indications) < _ANSWER_LIMIT:
            self._running.indications.append(event)
        instance = event.number("instance")
        if event.name == "CNUMF":
            self._seen_identity = event.identity("identity")
        elif event.name == "CREG":
            self._calls_quietly = self._calls_quietly and event.number("status") != 0  # it may have started again
        elif event.name == "CTICN" and instance is not None and event.number("simplex") == 0:
            self._duplex.add(instance)
        elif event.name == "CTCR":
            self._duplex.discard(instance or 0)
            if self._exposed and instance is not None and instance == self._instance:
                self._lease.end("call_ended")
                self._confirmed(now_s)
        elif event.name == "CTOCP" and self._dialled and self._instance is None:
            self._instance = instance
        elif event.name == "CTXG" and event.number("grant") == Grant.GRANTED:
            self._granted(instance, now_s)

    def _granted(self, instance: int | None, now_s: float) -> None:
        foreign = self._exposed and self._instance not in (None, instance)
        # Of two calls at once only hanging up both is sure.
        self._instance = None if foreign else instance
        self._exposed = True
        self._recovering = False
        if foreign or not self._lease.holder:
            self._lease.end("stale_grant")
            self._release("stale_grant", now_s)

    # Releasing

    def _release(self, reason: str, now_s: float) -> None:
        unwritten = [message for message in self._queue if isinstance(message, Key)]
        for message in unwritten:
            self._queue.remove(message)
            self._refuse(message.id, reason)
        running = self._running
        if running is not None and running.keying and not running.written:
            self._finish("interrupted")
            running = None
        if not self._exposed:
            self._answer_unkeys()
            return
        if self._releasing:
            return
        self._releasing = True
        self._tries = 0
        self._strange = self._late
        if running is not None:
            if 0 < running.written < running.line_octets:
                self._urgent += _LINE_END
            elif running.written < len(running.octets) and running.written:
                self._urgent += _DATA_END
            self._strange += 1 if running.written else 0
            self._finish("interrupted")
        self._tell("releasing", reason)
        self._say_release(now_s)

    def _say_release(self, now_s: float) -> None:
        if self._recovering and self._tries >= STUCK_TRIES:
            self._urgent.clear()
            self._confirmed(now_s)
            return
        self._tries += 1
        if not self._urgent or self._tries == 1:
            if self._instance is not None:
                self._urgent += cease(self._instance).encode() + b"\r"
            if self._instance is None or self._tries > STUCK_TRIES:
                self._urgent += b"ATH\r"
        if self._tries == STUCK_TRIES + 1:
            self._tell("stuck", "unconfirmed")
        self._again_s = now_s + (CONFIRM_S if self._tries * CONFIRM_S < SETTLE_S else SETTLE_S)

    def _confirmed(self, now_s: float) -> None:
        if self._tries > 1:
            self._quiet_until_s = now_s + CONFIRM_S  # answers to the repetitions are still on their way
        self._tries = self._strange = self._late = 0
        self._exposed = self._releasing = self._recovering = self._dialled = False
        self._instance = None
        self._tell("idle", "released")
        self._answer_unkeys()

    def _answer_unkeys(self) -> None:
        for number in self._unkeys:
            self._messages.append(Answer(number, "ok"))
        self._unkeys.clear()

    def _tell(self, state: str, reason: str) -> None:
        if state != self._state:
            self._state = state
            self._messages.append(Transmitter(state, reason))  # type: ignore[arg-type]  # one of the literals
