"""A keyer and a simulated radio joined by a wire, on a time that the test moves."""

from trunks.radio.keyer import PeiKeyer
from trunks.radio.keyer_messages import Answer, Command, Heard, Key, Renew, Transmitter, Unkey
from trunks.radio.lease import Lease
from trunks.radio.simulated_make import PROFILES
from trunks.radio.simulated_network import SimulatedNetwork
from trunks.radio.simulator import TetraSimulator

ISSI = "09011638300023401"


class Wired:
    """Time advances in steps of 5 ms; each way the wire takes at most *speed* octets a step."""

    STEP_S = 0.005

    def __init__(self, quirks=PROFILES["plain"], *, hard_limit_s=180.0, speed=20, voice=True, **options):
        self.now_s = 0.0
        self.log = []
        self.network = SimulatedNetwork()
        self.radio = TetraSimulator(ISSI, self.network, quirks=quirks, log=self.log.append)
        self.network.add(self.radio)
        self.keyer = PeiKeyer(lease=Lease(hard_limit_s), **options)
        self.speed = speed
        self.blocked = False
        self.told = []
        self.number = 0
        self.to_keyer = bytearray()
        self.radio.power_on(0.0)
        self.run(0.5)
        self.to_keyer.clear()
        if voice:
            self.radio.profiles.add("2,0,0")

    def run(self, duration_s):
        end_s = self.now_s + duration_s
        while self.now_s < end_s - 1e-9:
            self.now_s += self.STEP_S
            self.network.tick(self.now_s)
            for chunk in self.radio.output():
                self.to_keyer += chunk
            data, self.to_keyer = bytes(self.to_keyer[: self.speed]), self.to_keyer[self.speed :]
            if data:
                self.keyer.heard(data, self.now_s)
            self.keyer.tick(self.now_s)
            if not self.blocked and (octets := self.keyer.output()[: self.speed]):
                self.keyer.wrote(len(octets))
                self.radio.feed(octets, self.now_s)
                self.keyer.tick(self.now_s)
            self.told += self.keyer.messages()

    def tell(self, message):
        self.keyer.told(message, self.now_s)

    def command(self, line, data="", timeout_s=5.0):
        self.number += 1
        self.tell(Command(self.number, line, data, timeout_s))
        return self.number

    def key(self, line, holder="operator", sound_device=""):
        self.number += 1
        self.tell(Key(self.number, holder, line, sound_device))
        return self.number

    def renew(self, holder="operator"):
        self.tell(Renew(holder))

    def hold(self, duration_s, holder="operator"):
        for _ in range(round(duration_s / 0.1)):
            self.renew(holder)
            self.run(0.1)

    def unkey(self):
        self.number += 1
        self.tell(Unkey(self.number))
        return self.number

    def answer(self, number):
        return next((one for one in self.told if isinstance(one, Answer) and one.id == number), None)

    def heard(self, name):
        return [one.indication for one in self.told if isinstance(one, Heard) and one.indication.name == name]

    def states(self):
        return [(one.state, one.reason) for one in self.told if isinstance(one, Transmitter)]

    def lines(self):
        return [entry["line"] for entry in self.log if entry["event"] == "received"]

    @property
    def keyed(self):
        return any(call.keyed for call in self.radio.calls.values())

    def when(self, event):
        return [entry["t"] for entry in self.log if entry["event"] == event]
