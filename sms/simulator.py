"""A modem as 3GPP TS 27.005 and 27.007 describe it, without a port: octets in, octets out.

It knows PDU mode only, as the driver does; ``+CMGF=1`` is refused. Quirk profiles name the models that behave so.
:mod:`sms.simulator_port` puts it on a pseudo terminal.
"""

import asyncio
import re
from collections.abc import Callable

from gateway.core.clock import Clock
from sms.at import Final
from sms.errors import PduError
from sms.pdu import Deliver, StatusReport, Submit, decode, encode, encode_tpdu, from_hex
from sms.simulator_answers import COMMANDS, OK, UNREAD, UNSENT, Answer, Answers, tpdu_length
from sms.simulator_models import QUIRKS, Quirks, Sim
from sms.simulator_network import SimulatedNetwork

_LINE_LIMIT = 1024
_PAYLOAD_LIMIT = 1024
_COMMAND = re.compile(r"([+^&*%]?[A-Z]+)(=\?|\?|=.*|\d*)", re.IGNORECASE)
_PIN_NEEDED, _BUSY = 11, 515
_UNSUPPORTED = 4
_BAD_PDU, _NO_CENTRE, _NO_NETWORK, _CMS_PIN, _CMS_FULL = 304, 330, 331, 311, 322


_NEED_SIM = frozenset(
    {"+CIMI", "+CSCA", "+CNUM", "+CPMS", "+CMGL", "+CMGR", "+CMGD", "+CMGS", "+CMGW", "+CNMI", "+COPS", "+CSMS"}
)


class SimulatedModem(Answers):
    """One modem, from power-on to power-off; ``write`` takes what it sends.

    What the network brings comes through :meth:`deliver` and :meth:`report`; faults by :meth:`hang` and ``sim``.
    """

    def __init__(
        self,
        write: Callable[[bytes], None],
        network: SimulatedNetwork,
        clock: Clock,
        *,
        sim: Sim,
        imei: str = "860000000000001",
        quirks: Quirks | None = None,
    ) -> None:
        super().__init__(network, sim, imei, quirks or QUIRKS["plain"])
        self._write = write
        self._clock = clock
        self._line = bytearray()
        self._payload: bytearray | None = None
        self._payload_length = 0
        self._payload_keeps = False
        self._busy_left = self.quirks.busy_at_start
        self._reference = -1
        self._sending: asyncio.Task[None] | None = None

    @property
    def number(self) -> str:
        """The number of the SIM."""
        return self.sim.number

    def start(self) -> None:
        """Power on: say what such a model says, and register."""
        for line in self.quirks.boot_news:
            self.say(line)
        self.register()

    def stop(self) -> None:
        """Power off."""
        self.network.detach(self)
        for item, timer in self.ack_due:
            timer.cancel()
            self.network.keep(self.number, item)
        if self._sending is not None:
            self._sending.cancel()

    def say(self, *lines: str) -> None:
        """Send lines."""
        if not self.hung:
            self._write("".join(f"\r\n{line}\r\n" for line in lines).encode("ascii", "replace"))

    def call(self, caller: str) -> None:
        """Ring once, as an incoming voice call does every few seconds."""
        self.network.note("ring", modem=self.number, caller=caller)
        self.say("RING")
        if self.clip:
            self.say(f'+CLIP: "{caller}",{145 if caller.startswith("+") else 129},,,,0')

    # What the network brings.

    def deliver(self, message: Deliver) -> bool:
        """See :class:`sms.simulator_network.Terminal`."""
        pdu = encode(message).hex().upper()
        mode = self.cnmi.split(",")[1]
        if mode == "2" and message.data.coding.message_class != 2:
            if self.ack_due:
                return False  # one at a time: the next one after the acknowledgement
            self._direct(f"+CMT: ,{self._said_length(message)}", message)
            return True
        slot = self.store(self.memory[2], UNREAD, pdu)
        if slot is None:
            if self.quirks.chatter:
                self.say('^SMMEMFULL:"SM"')
            return False
        if mode in ("1", "3"):
            self.say(f'+CMTI: "{self.memory[2]}",{slot}')
        return True

    def report(self, report: StatusReport) -> bool:
        """See :class:`sms.simulator_network.Terminal`."""
        pdu = encode(report).hex().upper()
        mode = self.cnmi.split(",")[3]
        if mode == "1":
            if self.ack_due:
                return False
            self._direct(f"+CDS: {self._said_length(report)}", report)
            return True
        memory = "SR" if "SR" in self.quirks.memories else self.memory[2]
        slot = self.store(memory, UNREAD, pdu)
        if slot is not None and mode == "2":
            self.say(f'+CDSI: "{memory}",{slot}')
        return slot is not None

    def _said_length(self, message: Deliver | StatusReport) -> int:
        return 0 if self.quirks.wrong_length else len(encode_tpdu(message))

    def _direct(self, head: str, item: Deliver | StatusReport) -> None:
        if not self.hung:
            self._write(f"\r\n{head}\r\n{encode(item).hex().upper()}\r\n".encode("ascii"))
        if self.csms == 1:
            timer = asyncio.create_task(self._unacknowledged(), name="simulated-modem-cnma")
            self.ack_due.append((item, timer))

    async def _unacknowledged(self) -> None:
        # Nobody acknowledged: TS 27.005 section 3.4.1 falls back to the storage, the network sends it again.
        await self._clock.sleep(self.network.plan.acknowledge_s)
        item, _ = self.ack_due.pop(0)
        parts = self.cnmi.split(",")
        self.cnmi = ",".join((parts[0], "0", parts[2], "0", parts[4]))
        self.store(self.memory[2], UNREAD, encode(item).hex().upper())

    def register(self) -> None:
        """See :class:`Answers`."""
        if self.registered:
            self.network.attach(self)
            if self.creg:
                self.say("+CREG: 1")

    # What comes over the port.

    def feed(self, data: bytes) -> None:
        """Take what the other end sent."""
        if self.hung:
            return
        for octet in data:
            if self._payload is not None:
                self._payload_octet(octet)
            elif octet == 0x1B:
                self._line.clear()
            elif octet == 0x0D:
                self._end_line()
            elif octet != 0x0A and len(self._line) < _LINE_LIMIT:
                self._line.append(octet)

    def _payload_octet(self, octet: int) -> None:
        payload = self._payload
        if payload is None:
            return
        if octet == 0x1A:
            self._payload = None
            self._take(bytes(payload).decode("ascii", "replace").strip())
        elif octet == 0x1B or len(payload) >= _PAYLOAD_LIMIT:
            self._payload = None
            self.say("OK")
        elif octet not in b"\r\n":
            payload.append(octet)
            if self.echo:
                self._write(bytes((octet,)))

    def _end_line(self) -> None:
        line = bytes(self._line).decode("ascii", "replace").strip()
        self._line.clear()
        if self.echo and line:
            self._write(line.encode("ascii", "replace") + b"\r")
        if line[:2].upper() != "AT" or self._sending is not None:
            return
        self.network.note("command", modem=self.number, line=_without_pin(line))
        if self.quirks.chatter:
            self.say(self.quirks.chatter)
        if self._busy_left:
            self._busy_left -= 1
            self._end(Final("CME", _BUSY))
            return
        self._run(line[2:])

    def _run(self, rest: str) -> None:
        for part in _split(rest):
            answer = self._execute(part)
            if answer is None:
                return  # it ends later, or never
            lines, final = answer
            self.say(*lines)
            if not final.ok:
                self._end(final)
                return
        self._end(Final("OK"))

    def _end(self, final: Final) -> None:
        if final.ok:
            self.say("OK")
        elif final.code < 0 or (final.kind == "CME" and not self.cmee):
            self.say(final.text or "ERROR")
        else:
            self.say(f"+{final.kind} ERROR: {final.code}")

    def _execute(self, part: str) -> Answer | None:
        match = _COMMAND.fullmatch(part)
        if match is None:
            return [], self._unknown()
        name, rest = match[1].upper(), match[2]
        kind = "test" if rest == "=?" else "read" if rest == "?" else "set"
        value = rest.removeprefix("=") if kind == "set" else ""
        if not self.unlocked and name in _NEED_SIM:
            return [], Final("CMS", _CMS_PIN) if name.startswith("+CM") else Final("CME", _PIN_NEEDED)
        if name in ("+CMGS", "+CMGW"):
            return self._payload_due(kind, value, keeps=name == "+CMGW")
        method = COMMANDS.get(name)
        return ([], self._unknown()) if method is None else method(self, kind, value)

    def _unknown(self) -> Final:
        if self.quirks.unsupported:
            return Final("ERROR", text=self.quirks.unsupported)
        return Final("CME", _UNSUPPORTED)

    def _payload_due(self, kind: str, value: str, *, keeps: bool) -> Answer | None:
        length = value.partition(",")[0]
        if kind != "set" or not length.isdigit():
            return [], OK if kind == "test" else Final("CMS", _BAD_PDU)
        self._payload, self._payload_length, self._payload_keeps = bytearray(), int(length), keeps
        self._write(b"\r\n> ")
        return None

    def _take(self, text: str) -> None:
        try:
            message = decode(from_hex(text))
        except PduError as error:
            self.network.note("malformed", modem=self.number, payload=text, reason=str(error.fields["reason"]))
            self._end(Final("CMS", _BAD_PDU))
            return
        if tpdu_length(text) != self._payload_length or (not self._payload_keeps and not isinstance(message, Submit)):
            self.network.note("malformed", modem=self.number, payload=text, reason="length or type")
            self._end(Final("CMS", _BAD_PDU))
        elif self._payload_keeps:
            slot = self.store(self.memory[1], UNSENT, text)
            self.say(*(() if slot is None else (f"+CMGW: {slot}",)))
            self._end(Final("CMS", _CMS_FULL) if slot is None else OK)
        elif not self.registered:
            self._end(Final("CMS", _NO_NETWORK))
        elif message.centre is None and not self.sim.centre:
            self._end(Final("CMS", _NO_CENTRE))
        elif isinstance(message, Submit):
            self._sending = asyncio.create_task(self._send(message), name="simulated-modem-send")

    async def _send(self, message: Submit) -> None:
        self._reference = (self._reference + 1) % 256
        try:
            refusal = await self.network.submit(self, message, self._reference)
        finally:
            self._sending = None
        if refusal is None:
            self.say(f"+CMGS: {self._reference}")
        self._end(refusal or OK)


def _without_pin(line: str) -> str:
    return re.sub(r'(\+CPIN=)"?\d+"?', r"\1…", line)


def _split(rest: str) -> list[str]:
    """Split what follows AT into commands: at semicolons outside quotes, and behind basic ones such as E0V1."""
    parts = [part.strip() for part in re.split(r';(?=(?:[^"]*"[^"]*")*[^"]*$)', rest)]
    found: list[str] = []
    for part in parts:
        basic = re.match(r"((?:[EVQXHSZ]\d*)+|I\d?|A)(?=$|[+&^*])", part, re.IGNORECASE)
        if basic is not None:
            found += re.findall(r"[A-Za-z]\d*", basic[1])
            part = part[basic.end() :]  # noqa: PLW2901  # what is left of it
        if part:
            found.append(part)
    return found
