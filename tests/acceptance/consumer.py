"""An independent consumer of the bus: paho and the standard library, nothing of the project.

It keeps a persistent session, removes duplicates by ``gwseq``, asks for a replay of every gap that stays open, and
appends each event once, in the order of arrival, to a file of JSON lines. A stop (SIGTERM) makes it write its summary.

    python consumer.py --address PATH_OR_HOST:PORT --site duty --app reconcile --password-file F --out events.jsonl
"""

import argparse
import json
import signal
import sys
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

GAP_PATIENCE_S = 3.0
REPLAY_EVERY_S = 5.0


class Consumer:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self.site = arguments.site
        self.app = arguments.app
        self.lose = arguments.lose
        self.lost = 0
        self.out = arguments.out.open("a", encoding="utf-8")
        self.lock = threading.Lock()
        self.seen: dict[int, str] = {}
        self.first: int | None = None
        self.duplicates = 0
        self.replayed = 0
        self.connects = 0
        self.replays_asked = 0
        self.gap_since: float | None = None
        self.asked_at = 0.0
        self.stop = threading.Event()
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=f"{self.app}-consumer",
            protocol=mqtt.MQTTv5,
            transport="unix" if arguments.address.startswith("/") else "tcp",
        )
        self.client.username_pw_set(self.app, arguments.password_file.read_text().strip())
        self.client.on_connect = self.connected
        self.client.on_message = self.received
        self.client.on_subscribe = lambda *arguments: print(f"subscribed: {arguments[3]}", flush=True)
        self.client.reconnect_delay_set(1, 2)
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 3600
        host, _, port = arguments.address.rpartition(":")
        target = (arguments.address, 1883) if arguments.address.startswith("/") else (host, int(port))
        self.client.connect(*target, keepalive=10, clean_start=False, properties=session)

    def connected(self, client, _userdata, _flags, reason, _properties) -> None:
        if reason.is_failure:
            print(f"connect refused: {reason}", file=sys.stderr)
            return
        self.connects += 1
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        client.subscribe([(f"gw/v1/{self.site}/+/+/evt/+", options), (f"gw/v1/{self.site}/replay/{self.app}", options)])

    def received(self, _client, _userdata, message) -> None:
        event = json.loads(message.payload)
        if "gwseq" not in event:
            return  # the end mark of a replay
        seq = event["gwseq"]
        replayed = f"/replay/{self.app}" in message.topic
        with self.lock:
            if self.lose and not replayed and event["type"] == self.lose:
                self.lost += 1
                return
            if self.first is None:
                self.first = seq
            if seq in self.seen:
                self.duplicates += not replayed
                if self.seen[seq] != event["id"]:
                    print(f"two events with the number {seq}", file=sys.stderr)
                return
            self.seen[seq] = event["id"]
            self.replayed += replayed
            event["_received"] = time.time()
            event["_topic"] = message.topic
            self.out.write(json.dumps(event, ensure_ascii=False) + "\n")
            self.out.flush()

    def missing(self) -> list[int]:
        with self.lock:
            if self.first is None:
                return []
            return [seq for seq in range(min(self.seen), max(self.seen)) if seq not in self.seen]

    def mend(self) -> None:
        gap = self.missing()
        now = time.monotonic()
        if not gap:
            self.gap_since = None
            return
        self.gap_since = self.gap_since or now
        if now - self.gap_since < GAP_PATIENCE_S or now - self.asked_at < REPLAY_EVERY_S:
            return
        self.asked_at = now
        self.replays_asked += 1
        body = {
            "id": uuid.uuid4().hex,
            "expires_at": (datetime.now(UTC) + timedelta(seconds=20)).isoformat(),
            "data": {"from_seq": gap[0], "to_seq": gap[-1]},
        }
        self.client.publish(f"gw/v1/{self.site}/cmd/{self.app}/sys/replay", json.dumps(body), qos=1)

    def run(self) -> None:
        self.client.loop_start()
        while not self.stop.wait(0.5):
            self.mend()
        self.client.loop_stop()
        summary = {
            "events": len(self.seen),
            "first": min(self.seen, default=None),
            "last": max(self.seen, default=None),
            "missing": self.missing(),
            "duplicates_on_the_wire": self.duplicates,
            "lost_on_purpose": self.lost,
            "replayed": self.replayed,
            "replays_asked": self.replays_asked,
            "connects": self.connects,
        }
        print(json.dumps(summary), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", required=True)
    parser.add_argument("--site", required=True)
    parser.add_argument("--app", required=True)
    parser.add_argument("--password-file", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--lose", default="", help="a type of event to lose when it comes first, to need the replay")
    consumer = Consumer(parser.parse_args())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: consumer.stop.set())
    consumer.run()


if __name__ == "__main__":
    main()
