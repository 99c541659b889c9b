"""A simulated TETRA radio that speaks the wire, without I/O: octets, time and what happens on the air are arguments.

Written from the protocol tables, not from the driver: nothing of the driver's codec is used here. Its log says what
truly arrived, what was sent, and when the transmitter was on the air (``keyed``, ``unkeyed``).
"""

import heapq
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from trunks.radio.simulated_make import GRANTED, OTHER, PROFILES, QUEUED, REFUSED, Air, Call, Quirks

_STATE, _OUT_OF_SERVICE, _UNDECODABLE, _SYNTAX, _LATE, _BUSY = 3, 30, 32, 35, 37, 42
LINE_LIMIT = 2048
SENDING = re.compile(r"AT\+CMGS=(\d+),(\d+)")
DIALLING = re.compile(r"ATD(\d+)")
DEMANDING = re.compile(r"AT\+CTXD=(\d+),([0-3])")
CEASING = re.compile(r"AT\+CUTXC=(\d+)")
PARAMETERS = re.compile(r"AT\+CTSDC=([\d,]*)")
PROFILE = re.compile(r"AT\+CTSP=([\d,]+)")
SELECTING = re.compile(r"AT\+CTGS=1,(\d+)")

Log = Callable[[dict[str, Any]], None]


@dataclass(order=True)
class _Timer:
    at_s: float
    order: int
    action: Callable[[float], None] = field(compare=False)
    power: int = field(compare=False, default=0)


class TetraSimulator:
    """One radio with the identity *issi* (or its long form)."""

    def __init__(self, issi: str, air: Air, *, quirks: Quirks = PROFILES["plain"], log: Log = lambda _: None) -> None:
        self.issi = issi
        self.quirks = quirks
        self.group = "1000"
        self.registration = 1
        self.calls: dict[int, Call] = {}
        self.profiles: set[str] = set()
        self.mode = 0
        self._air = air
        self._log = log
        self._timers: list[_Timer] = []
        self._order = itertools.count()
        self._power = 0
        self._up = False
        self._out: list[bytes] = []
        self._line = bytearray()
        self._data: bytearray | None = None
        self._sending = ("", 0)
        self._service = 12
        self._parameters: list[int] = []
        self._busy = False
        self._echo = quirks.echo
        self._muted = quirks.mute_releases
        self._busy_messages = quirks.busy_messages
        self._references = itertools.count(1)

    # Power and time

    def power_on(self, now_s: float) -> None:
        """Boot: silence, then garbage, then registration. Everything volatile is forgotten."""
        self._power += 1
        for call in list(self.calls.values()):
            self._unkey(call, now_s, "power")
        self.calls.clear()
        self.profiles.clear()
        self._line.clear()
        self._data, self._busy, self._up = None, False, False
        self._echo = self.quirks.echo
        self._note(now_s, "power_on")
        self._after(now_s, self.quirks.boot_s, self._booted)

    def power_off(self, now_s: float) -> None:
        """Fall silent."""
        self._power += 1
        for call in list(self.calls.values()):
            self._unkey(call, now_s, "power")
        self.calls.clear()
        self._up = False
        self._note(now_s, "power_off")

    def _booted(self, now_s: float) -> None:
        self._up = True
        self._out.append(self.quirks.boot_garbage)
        self.say("+CREG: 0", now_s)
        self.say(f"+CREG: {self.registration},0042,09011638", now_s)

    def deadline_s(self) -> float | None:
        """Return when :meth:`tick` must be called."""
        return self._timers[0].at_s if self._timers else None

    def tick(self, now_s: float) -> None:
        """Do what time asks for."""
        while self._timers and self._timers[0].at_s <= now_s:
            timer = heapq.heappop(self._timers)
            if timer.power == self._power:
                timer.action(now_s)

    def _after(self, now_s: float, delay_s: float, action: Callable[[float], None]) -> None:
        if delay_s <= 0:
            action(now_s)
        else:
            heapq.heappush(self._timers, _Timer(now_s + delay_s, next(self._order), action, self._power))

    # Octets

    def output(self) -> list[bytes]:
        """Return the writes to be made, in order, once."""
        out, self._out = self._out, []
        if self.quirks.together and out:
            return [b"".join(out)]
        if self.quirks.single_octets:
            return [bytes([octet]) for octet in b"".join(out)]
        return out

    def feed(self, data: bytes, now_s: float) -> None:
        """Take octets of the terminal equipment."""
        if not self._up:
            self._note(now_s, "lost", octets=data.hex())
            return
        for octet in data:
            self._octet(octet, now_s)

    def _octet(self, octet: int, now_s: float) -> None:
        if self._busy and self.quirks.deaf_while_busy:
            return
        if self._data is not None:
            self._data_octet(octet, now_s)
        elif octet == 0x0D:
            line, self._line = self._line, bytearray()
            text = line.decode("ascii", "replace").strip()
            if text:
                self._received(text, now_s)
        elif octet >= 0x20 and len(self._line) < LINE_LIMIT:  # control characters mean nothing in a line
            self._line.append(octet)

    def _data_octet(self, octet: int, now_s: float) -> None:
        data = self._data
        if data is None or (octet in b"\r\n" and not data):
            return
        if octet == 0x1B:
            self._data = None
            self._note(now_s, "data_cancelled")
            self._answer("OK", now_s)
        elif octet == 0x1A:
            self._data = None
            self._message(data.decode("ascii", "replace").strip(), now_s)
        elif len(data) < LINE_LIMIT:
            data.append(octet)

    def say(self, text: str, now_s: float) -> None:
        """Send one line to the terminal equipment."""
        if not self._up:
            return
        if not self.quirks.space:
            text = text.replace(": ", ":", 1)
        self._note(now_s, "sent", line=text)
        self._out.append(self.quirks.newline + text.encode() + self.quirks.newline)

    def _answer(self, text: str, now_s: float) -> None:
        if self.quirks.interleaved:
            self.say("+CSQ: 21,99", now_s)
        self._after(now_s, self.quirks.answer_s, lambda at_s: self.say(text, at_s))

    def _error(self, code: int, now_s: float) -> None:
        self._answer(f"+CME ERROR: {code}", now_s)

    def _note(self, now_s: float, event: str, **fields: Any) -> None:
        self._log({"t": round(now_s, 6), "radio": self.issi, "event": event, **fields})

    # Commands

    def _received(self, text: str, now_s: float) -> None:
        self._note(now_s, "received", line=text)
        if self._echo:
            self._out.append(text.encode("ascii", "replace") + b"\r")
        command = text.upper()
        if not command.startswith("AT"):
            return
        for pattern, action in (
            (DEMANDING, self._on_demand),
            (CEASING, self._on_cease),
            (DIALLING, self._on_dial),
            (SENDING, self._on_send),
            (SELECTING, self._on_select),
            (PROFILE, self._on_profile),
            (PARAMETERS, self._on_parameters),
        ):
            if found := pattern.fullmatch(command):
                action(found, now_s)
                return
        self._plain(command, now_s)

    def _plain(self, command: str, now_s: float) -> None:
        answers = {
            "AT+CTGS?": f"+CTGS: 1,{self.group}",
            "AT+CNUMF?": f"+CNUMF: 6,{self.issi}",
            "AT+CNUMS?": f"+CNUMS: 1,{self.group},消防一组",
            "AT+CNUMD?": "+CNUMD: 1,1001,直通一组",
            "AT+CREG?": f"+CREG: {self.registration},0042,09011638",
            "AT+CSQ?": "+CSQ: 21,99",
            "AT+CTOM?": f"+CTOM: {self.mode}",
            "ATI": self.quirks.model,
        }
        if command in answers:
            self.say(answers[command], now_s)
            self._answer("OK", now_s)
        elif command == "ATZ" and self.quirks.resets_on_atz:
            self.power_on(now_s)
        elif command in ("ATE0", "ATE1"):
            self._echo = command == "ATE1"
            self._answer("OK", now_s)
        elif command in ("ATH", "ATH0"):
            for call in list(self.calls.values()):
                self.end_call(call.instance, 1, now_s)
            self._answer("OK", now_s)
        elif command == "ATA":
            self._on_answer(now_s)
        elif found := re.fullmatch(r"AT\+CTSDS=(12|13),[\d,]*", command):
            self._service = int(found[1])
            self._answer("OK", now_s)
        elif found := re.fullmatch(r"AT\+CTOM=([0-6])", command):
            self.mode = int(found[1])
            self._answer("OK", now_s)
        elif command == "AT" or re.fullmatch(r"AT\+(CMEE|CREG|CSQ)=\d+", command):
            self._answer("OK", now_s)
        else:
            self._error(_SYNTAX, now_s)

    def _on_profile(self, found: re.Match[str], now_s: float) -> None:
        self.profiles.add(found[1])
        self._answer("OK", now_s)

    def _on_parameters(self, found: re.Match[str], now_s: float) -> None:
        self._parameters = [int(part or 0) for part in found[1].split(",")]
        self._answer("OK", now_s)

    def _on_select(self, found: re.Match[str], now_s: float) -> None:
        self.group = found[1]
        self._answer("OK", now_s)
        self.say(f"+CTGS: 1,{self.group}", now_s)

    def _on_dial(self, found: re.Match[str], now_s: float) -> None:
        if self.registration not in (1, 5):
            self._error(_OUT_OF_SERVICE, now_s)
            return
        parameters = self._parameters + [0] * 11
        call = self._new_call(found[1], group=parameters[6] > 0, incoming=False, priority=parameters[9])
        call.duplex = not parameters[4]
        self._answer("OK", now_s)
        self.say(f"+CTOCP: {call.instance},0,0,1,1,0,1,1", now_s)
        self.say(f"+CTCC: {call.instance},1,{int(not call.duplex)},0,0,{int(call.group)},1", now_s)
        if call.duplex:
            self._key(call, now_s)
        elif parameters[8]:
            self._demand(call, 3 if call.priority == 15 else 0, now_s)

    def _on_answer(self, now_s: float) -> None:
        waiting = [call for call in self.calls.values() if call.incoming and not call.group]
        if not waiting:
            self._error(_STATE, now_s)
            return
        self._answer("OK", now_s)
        self.say(f"+CTCC: {waiting[0].instance},1,{int(not waiting[0].duplex)},0,0,0,1", now_s)

    def _on_demand(self, found: re.Match[str], now_s: float) -> None:
        call = self.calls.get(int(found[1]))
        if call is None:
            self._error(_STATE, now_s)
            return
        self._answer("OK", now_s)
        self._demand(call, int(found[2]), now_s)

    def _demand(self, call: Call, priority: int, now_s: float) -> None:
        call.queued = True

        def decided(at_s: float) -> None:
            if not call.queued or call.instance not in self.calls:
                return
            grant = self._air.decide(self, call, priority)
            if grant == GRANTED:
                self.grant(call.instance, at_s)
                return
            call.queued = grant == QUEUED
            talker = f",3,{call.talker}" if grant == OTHER and call.talker else ""
            self.say(f"+CTXG: {call.instance},{grant},{int(grant == REFUSED)},0{talker}", at_s)
            if grant == QUEUED and not call.talker:
                self._after(at_s, self.quirks.queue_s, lambda then_s: self.grant(call.instance, then_s))

        self._after(now_s, self.quirks.grant_s, decided)

    def grant(self, instance: int, now_s: float) -> None:
        """Grant a demand that is still queued."""
        call = self.calls.get(instance)
        if call is not None and call.queued:
            self._key(call, now_s)

    def _key(self, call: Call, now_s: float) -> None:
        call.queued, call.keyed, call.talker = False, True, ""
        self.say(f"+CTXG: {call.instance},0,0,0", now_s)
        self._note(now_s, "keyed", instance=call.instance, called=call.peer)
        self._air.spoke(self, call, now_s)

    def _unkey(self, call: Call, now_s: float, reason: str) -> None:
        call.queued = False
        if call.keyed:
            call.keyed = False
            self._note(now_s, "unkeyed", instance=call.instance, reason=reason)
            self._air.ceased(self, call, now_s)

    def _on_cease(self, found: re.Match[str], now_s: float) -> None:
        call = self.calls.get(int(found[1]))
        if call is None or not (call.keyed or call.queued):
            self._error(_STATE, now_s)
            return
        self._unkey(call, now_s, "released")
        if self._muted:
            self._muted -= 1
        else:
            self._answer("OK", now_s)
        instance = call.instance

        def hung(at_s: float) -> None:
            still = self.calls.get(instance)
            if still is call and not (call.keyed or call.queued or call.talker):
                self.end_call(instance, 13, at_s)

        self._after(now_s, self.quirks.hang_s, hung)

    def _on_send(self, found: re.Match[str], now_s: float) -> None:
        self._sending = (found[1], int(found[2]))
        data = self._data = bytearray()

        def late(at_s: float) -> None:
            if self._data is data:
                self._data = None
                self._error(_LATE, at_s)

        self._after(now_s, self.quirks.data_late_s, late)

    def _message(self, digits: str, now_s: float) -> None:
        called, bits = self._sending
        self._note(now_s, "message", called=called, bits=bits, data=digits)
        if not re.fullmatch(r"[0-9A-Fa-f]+", digits) or not 0 < bits <= 4 * len(digits):
            self._error(_UNDECODABLE, now_s)
            return
        if self._busy_messages:
            self._busy_messages -= 1
            self._error(_BUSY, now_s)
            return
        self._busy = True
        reference = next(self._references) % 256

        def sent(at_s: float) -> None:
            self._busy = False
            left = self._air.message(self, called, self._service, digits, at_s)
            self.say(f"+CMGS: {reference}", at_s)
            self._answer("OK", at_s)
            self.say(f"+CMGS: {reference},{4 if left else 5},{reference}", at_s)

        self._after(now_s, self.quirks.message_s, sent)

    # What the air does to this radio

    def _new_call(self, peer: str, *, group: bool, incoming: bool, priority: int) -> Call:
        instance = next(number for number in itertools.count(1) if number not in self.calls)
        call = self.calls[instance] = Call(instance, peer, group, incoming, priority)
        return call

    def incoming(self, calling: str, called: str, now_s: float, *, group: bool, priority: int = 0) -> int | None:
        """Bring in a call; return its instance, or nothing when the radio was not asked to hand on voice."""
        if not self._up or "2,0,0" not in self.profiles:
            return None
        call = self._new_call(called if group else calling, group=group, incoming=True, priority=priority)
        if self.quirks.nine_fields:
            self.say(f"+CTICN: {call.instance},0,0,1,{calling},{int(group)},1,{called},{priority}", now_s)
        else:
            kinds = f"1,1,0,{int(group)},1,1"
            self.say(f"+CTICN: {call.instance},0,0,1,{calling},{kinds},{called},{priority}", now_s)
        if group:
            self.say(f"+CTCC: {call.instance},1,1,0,0,1,1", now_s)
        return call.instance

    def talking(self, instance: int, talker: str, now_s: float) -> None:
        """Somebody else speaks in the call; who was keyed is pre-empted."""
        call = self.calls.get(instance)
        if call is None:
            return
        call.talker = talker
        word = "+CTXI" if call.keyed else "+CTXG"
        self._unkey(call, now_s, "preempted")
        self.say(f"{word}: {instance},{OTHER},0,0,3,{talker}", now_s)

    def silent(self, instance: int, now_s: float) -> None:
        """The other party stopped; a queued demand is granted."""
        call = self.calls.get(instance)
        if call is None:
            return
        call.talker = ""
        self.say(f"+CDTXC: {instance},0", now_s)
        if call.queued:
            self._after(now_s, self.quirks.grant_s, lambda at_s: self.grant(instance, at_s))

    def end_call(self, instance: int, cause: int, now_s: float) -> None:
        """The call is over."""
        call = self.calls.pop(instance, None)
        if call is not None:
            self._unkey(call, now_s, f"cause_{cause}")
            self.say(f"+CTCR: {instance},{cause}", now_s)

    def receive(self, calling: str, called: str, service: int, digits: str, now_s: float) -> None:
        """Bring in a message, if the radio was asked to hand on its kind."""
        wanted = "1,2,20" if service == 13 else f"1,3,{130 if digits[:1] in '89' else int(digits[:2] or '0', 16)}"
        if not self._up or wanted not in self.profiles:
            self._note(now_s, "not_handed_on", service=service, data=digits)
            return
        bits = 4 * len(digits)
        if self.quirks.pads and len(digits) % 2:
            digits += "0"
        self.say(f"+CTSDSR: {service},{calling},0,{called},0,{bits}", now_s)
        if self.quirks.interleaved:
            self.say("+CSQ: 22,99", now_s)
        self.say(digits, now_s)

    def coverage(self, state: int, now_s: float) -> None:
        """Change the registration; without a network every call ends."""
        self.registration = state
        self.say(f"+CREG: {state},0042,09011638", now_s)
        if state not in (1, 5):
            for instance in list(self.calls):
                self.end_call(instance, 14, now_s)
