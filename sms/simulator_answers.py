"""What a simulated modem says to commands that need no more than itself and its SIM."""

import abc
import asyncio
import re
from collections.abc import Callable

from sms.at import Final, fields
from sms.pdu import Deliver, StatusReport
from sms.simulator_models import Quirks, Sim
from sms.simulator_network import SimulatedNetwork

UNREAD, READ, UNSENT, SENT = 0, 1, 2, 3
OK = Final("OK")
_WRONG_PIN, _PUK_NEEDED = 16, 12
_NOT_SUPPORTED, _BAD_PARAMETER, _BAD_INDEX, _NO_CNMA = 302, 303, 321, 340
_NO_NEWS = "0,0,0,0,0"

Answer = tuple[list[str], Final]
"""The lines, and how the command ended."""


class Answers(abc.ABC):
    """The settings of a modem and its answers. Each method takes ``test``, ``read`` or ``set``, and the value."""

    def __init__(self, network: SimulatedNetwork, sim: Sim, imei: str, quirks: Quirks) -> None:
        self.network = network
        self.sim = sim
        self.imei = imei
        self.quirks = quirks
        self.echo = True
        self.cmee = 0
        self.cnmi = _NO_NEWS
        self.csms = 0
        self.clip = False
        self.creg = 0
        self.memory = ["SM", "SM", "SM"]
        self.unlocked = not sim.pin
        self.factory = not quirks.needs_factory_reset
        self.hung = False
        self.ack_due: list[tuple[Deliver | StatusReport, asyncio.Task[None]]] = []

    @property
    def registered(self) -> bool:
        """Whether it is in the network."""
        return self.unlocked and self.factory and self.network.plan.registered

    @abc.abstractmethod
    def register(self) -> None:
        """Try to get into the network."""

    def flush(self) -> None:
        """Let the network bring what it kept, after the answer to this command."""
        asyncio.get_running_loop().call_soon(self.network.flush, self.sim.number)

    def hang(self) -> None:
        """Answer nothing any more, until the power goes off and on."""
        self.hung = True

    def store(self, memory: str, state: int, pdu: str) -> int | None:
        """Keep a PDU; return its slot, None when the memory is full."""
        stored = self.sim.stored[memory]
        first = self.quirks.first_slot
        slot = next((i for i in range(first, first + self.sim.capacity) if i not in stored), None)
        if slot is not None:
            stored[slot] = (state, pdu)
        return slot

    def nothing(self, _kind: str, _value: str) -> Answer:
        """Accept what changes nothing here."""
        return [], OK

    def echo_set(self, _kind: str, value: str) -> Answer:
        """Answer ``E``."""
        self.echo = value != "0"
        return [], OK

    def reset(self, _kind: str, _value: str) -> Answer:
        """Answer ``Z`` and ``&F``."""
        self.echo, self.cmee, self.cnmi, self.csms, self.factory = True, 0, _NO_NEWS, 0, True
        self.register()
        return [], OK

    def restart(self, _kind: str, value: str) -> Answer:
        """Answer ``+CFUN`` and what models have for it."""
        if value.endswith(",1") or not value:
            self.echo, self.cmee, self.cnmi, self.csms, self.creg = True, 0, _NO_NEWS, 0, 0
            self.unlocked = not self.sim.pin
            self.register()
        return [], OK

    def identity(self, _kind: str, _value: str) -> Answer:
        """Answer ``I``."""
        return [self.quirks.maker, self.quirks.model, "Revision: 1"], OK

    def maker(self, _kind: str, _value: str) -> Answer:
        """Answer ``+CGMI``."""
        return [self.quirks.maker], OK

    def model(self, _kind: str, _value: str) -> Answer:
        """Answer ``+CGMM``."""
        return [self.quirks.model], OK

    def revision(self, _kind: str, _value: str) -> Answer:
        """Answer ``+CGMR``."""
        return ["1.0"], OK

    def imei_said(self, _kind: str, _value: str) -> Answer:
        """Answer ``+CGSN``."""
        return [self.imei], OK

    def imsi(self, _kind: str, _value: str) -> Answer:
        """Answer ``+CIMI``."""
        return [self.sim.imsi], OK

    def cmee_set(self, kind: str, value: str) -> Answer:
        """Answer ``+CMEE``."""
        if kind == "set":
            self.cmee = int(value) if value in ("0", "1", "2") else 0
            return [], OK
        return [f"+CMEE: {self.cmee}" if kind == "read" else "+CMEE: (0-2)"], OK

    def cpin(self, kind: str, value: str) -> Answer:
        """Answer ``+CPIN``."""
        if kind != "set":
            locked = "SIM PUK" if self.sim.tries == 0 else "SIM PIN"
            return [f"+CPIN: {'READY' if self.unlocked else locked}"], OK
        if self.sim.tries == 0:
            return [], Final("CME", _PUK_NEEDED)
        if value.strip('"') != self.sim.pin:
            self.sim.tries -= 1
            return [], Final("CME", _WRONG_PIN)
        self.sim.tries, self.unlocked = 3, True
        self.register()
        return [], OK

    def creg_said(self, kind: str, value: str) -> Answer:
        """Answer ``+CREG``."""
        if kind == "set":
            self.creg = int(value) if value in ("0", "1", "2") else 0
            return [], OK
        return ["+CREG: (0-2)" if kind == "test" else f"+CREG: {self.creg},{1 if self.registered else 2}"], OK

    def cops(self, kind: str, _value: str) -> Answer:
        """Answer ``+COPS``."""
        if kind == "set":
            return [], OK
        name = f',0,"{self.sim.operator}",7' if self.registered else ""
        return [f"+COPS: 0{name}"], OK

    def csq(self, _kind: str, _value: str) -> Answer:
        """Answer ``+CSQ``."""
        return [f"+CSQ: {21 if self.registered else 99},99"], OK

    def csca(self, kind: str, value: str) -> Answer:
        """Answer ``+CSCA``."""
        if kind == "set":
            self.sim.centre = fields(value)[0]
            return [], OK
        return [f'+CSCA: "{self.sim.centre}",145'], OK

    def cnum(self, _kind: str, _value: str) -> Answer:
        """Answer ``+CNUM``."""
        return [f'+CNUM: "","{self.sim.number}",145'], OK

    def cscs(self, kind: str, _value: str) -> Answer:
        """Answer ``+CSCS``."""
        return [] if kind == "set" else ['+CSCS: "GSM"' if kind == "read" else '+CSCS: ("GSM","UCS2")'], OK

    def cmgf(self, kind: str, value: str) -> Answer:
        """Answer ``+CMGF``."""
        if kind == "set":
            return [], OK if value == "0" else Final("CMS", _BAD_PARAMETER)
        return ["+CMGF: (0)" if kind == "test" else "+CMGF: 0"], OK

    def cpms(self, kind: str, value: str) -> Answer:
        """Answer ``+CPMS``."""
        names = ",".join(f'"{name}"' for name in self.quirks.memories)
        if kind == "test":
            return [f"+CPMS: ({names}),({names}),({names})"], OK
        if kind == "set":
            wanted = fields(value)
            if not set(wanted) <= set(self.quirks.memories) or len(wanted) > 3:
                return [], Final("CMS", _NOT_SUPPORTED)
            self.memory[: len(wanted)] = wanted
            counts = ",".join(f"{self.used(name)},{self.sim.capacity}" for name in self.memory)
            self.flush()
            return [f"+CPMS: {counts}"], OK
        counts = ",".join(f'"{name}",{self.used(name)},{self.sim.capacity}' for name in self.memory)
        return [f"+CPMS: {counts}"], OK

    def used(self, memory: str) -> int:
        """Return how many slots of a memory are taken."""
        return len(self.sim.stored[memory])

    def cnmi_set(self, kind: str, value: str) -> Answer:
        """Answer ``+CNMI``."""
        if kind == "test":
            return ["+CNMI: (0-2),(0-3),(0,2),(0-2),(0,1)"], OK
        if kind == "read":
            return [f"+CNMI: {self.cnmi}"], OK
        if value in self.quirks.cnmi_refused or not re.fullmatch(r"[0-3]?(,[0-3]?){0,4}", value):
            return [], Final("CMS", _BAD_PARAMETER)
        given = value.split(",")
        self.cnmi = ",".join(new or old for new, old in zip(given, self.cnmi.split(","), strict=False))
        self.cnmi += ",0" * (4 - self.cnmi.count(","))
        return [], OK

    def csms_set(self, kind: str, value: str) -> Answer:
        """Answer ``+CSMS``."""
        if kind == "set":
            self.csms = 1 if value == "1" else 0
            return ["+CSMS: 1,1,1"], OK
        return ["+CSMS: (0,1)" if kind == "test" else f"+CSMS: {self.csms},1,1,1"], OK

    def cnma(self, kind: str, _value: str) -> Answer:
        """Answer ``+CNMA``."""
        if kind != "set":
            return ["+CNMA: (0-2)"], OK
        if not self.ack_due:
            return [], Final("CMS", _NO_CNMA)
        _, timer = self.ack_due.pop(0)
        timer.cancel()
        self.flush()
        return [], OK

    def clip_set(self, kind: str, value: str) -> Answer:
        """Answer ``+CLIP``."""
        if kind == "set":
            self.clip = value == "1"
            return [], OK
        return [f"+CLIP: {int(self.clip)},1"], OK

    def cmgl(self, kind: str, value: str) -> Answer | None:
        """Answer ``+CMGL``."""
        if kind != "set":
            return ["+CMGL: (0-4)"], OK
        if self.quirks.list_hangs and value == "4":
            self.hang()
            return None
        wanted = int(value) if value in ("0", "1", "2", "3", "4") else 0
        lines = []
        stored = self.sim.stored[self.memory[0]]
        for slot, (state, pdu) in sorted(stored.items()):
            if wanted in (4, state):
                lines.append(f"+CMGL: {slot},{state},,{tpdu_length(pdu)}\r\n{pdu}")
                stored[slot] = (READ if state == UNREAD else state, pdu)
        return lines, OK

    def cmgr(self, _kind: str, value: str) -> Answer:
        """Answer ``+CMGR``."""
        stored = self.sim.stored[self.memory[0]]
        slot = int(value) if value.isdigit() else -1
        if slot not in stored:
            return [], Final("CMS", _BAD_INDEX)
        state, pdu = stored[slot]
        stored[slot] = (READ if state == UNREAD else state, pdu)
        return [f"+CMGR: {state},,{tpdu_length(pdu)}\r\n{pdu}"], OK

    def cmgd(self, kind: str, value: str) -> Answer:
        """Answer ``+CMGD``."""
        stored = self.sim.stored[self.memory[0]]
        if kind != "set":
            return [f"+CMGD: ({','.join(map(str, sorted(stored)))}),(0-4)"], OK
        slot, _, flag = value.partition(",")
        if flag in ("", "0"):
            stored.pop(int(slot) if slot.isdigit() else -1, None)
        else:
            gone = {"1": (READ,), "2": (READ, SENT), "3": (READ, SENT, UNSENT)}.get(flag)
            for found in [i for i, (state, _) in stored.items() if gone is None or state in gone]:
                del stored[found]
        self.flush()
        return [], OK


def tpdu_length(pdu: str) -> int:
    """Return the octets of a PDU without its service centre's address."""
    return len(pdu) // 2 - 1 - int(pdu[:2], 16) if len(pdu) >= 2 else -1


_ACCEPTED = (
    *("V", "Q", "S", "H", "A", "X", "&D", "&C", "&W", "+CMMS", "+CRC", "+CHUP", "+IFC", "+CSDH", "+CVHU", "+CGREG"),
    *("+CEREG", "^CURC", "+QURCCFG", "+IPR"),
)
COMMANDS: dict[str, Callable[[Answers, str, str], Answer | None]] = {
    **dict.fromkeys(_ACCEPTED, Answers.nothing),
    **dict.fromkeys(("Z", "&F"), Answers.reset),
    **dict.fromkeys(("+CFUN", "+CRESET", "^SMSO"), Answers.restart),
    **dict.fromkeys(("+CGMI", "+GMI"), Answers.maker),
    **dict.fromkeys(("+CGMM", "+GMM"), Answers.model),
    **dict.fromkeys(("+CGMR", "+GMR"), Answers.revision),
    **dict.fromkeys(("+CGSN", "+GSN"), Answers.imei_said),
    "E": Answers.echo_set,
    "I": Answers.identity,
    "+CIMI": Answers.imsi,
    "+CMEE": Answers.cmee_set,
    "+CPIN": Answers.cpin,
    "+CREG": Answers.creg_said,
    "+COPS": Answers.cops,
    "+CSQ": Answers.csq,
    "+CSCA": Answers.csca,
    "+CNUM": Answers.cnum,
    "+CSCS": Answers.cscs,
    "+CMGF": Answers.cmgf,
    "+CPMS": Answers.cpms,
    "+CNMI": Answers.cnmi_set,
    "+CSMS": Answers.csms_set,
    "+CNMA": Answers.cnma,
    "+CLIP": Answers.clip_set,
    "+CMGL": Answers.cmgl,
    "+CMGR": Answers.cmgr,
    "+CMGD": Answers.cmgd,
}
