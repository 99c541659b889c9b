"""A real Asterisk for a test: on free ports, in the test's own folder, gone afterwards."""

import contextlib
import csv
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import config.asterisk.fallback
from config.asterisk.plan import AsteriskPlan, Fallback, Folders, Line, Phone, Trunk
from config.asterisk.render import CEL_COLUMNS
from gateway.app.stand.asterisk import AsteriskChild, find_asterisk
from gateway.app.stand.phones import PhoneSetup, Softphone
from gateway.app.stand.ports import free_ports
from gateway.app.stand.sipp import CallerSetup
from tests.support import sound

# The public network lives on an address of its own, so that the trunk is told from the phones as in a real room.
NETWORK = "127.0.0.2"
NUMBERS = tuple(f"8811000{line}" for line in range(1, 9))


@dataclass
class AsteriskStand:
    """A running Asterisk and what a test needs around it. The port ``plan.fastagi_port`` is free for the test."""

    plan: AsteriskPlan
    child: AsteriskChild
    folder: Path

    @property
    def server(self) -> str:
        """Where Asterisk takes SIP."""
        return f"{self.plan.sip_address}:{self.plan.sip_port}"

    def cel(self) -> list[dict[str, str]]:
        """The rows of the CEL file so far."""
        try:
            with self.child.cel.open(encoding="utf-8", newline="") as file:
                rows = list(csv.reader(file, strict=True))
        except FileNotFoundError:
            return []
        assert all(len(row) == len(CEL_COLUMNS) for row in rows), rows
        return [dict(zip(CEL_COLUMNS, row, strict=True)) for row in rows]

    def ended(self, calls: int = 1) -> bool:
        """Whether so many calls have come to their end."""
        return sum(row["eventtype"] == "LINKEDID_END" for row in self.cel()) >= calls

    def recording(self, uniqueid: str, direction: str) -> bytes:
        """The A-law bytes of one direction (``in`` from the far side, ``out`` to it)."""
        return (self.plan.folders.recordings / f"{uniqueid}-{direction}.alaw").read_bytes()

    def tone(self, frequency: float, seconds: float = 2.0) -> Path:
        """A raw A-law file of a tone."""
        path = self.folder / f"{frequency:g}.alaw"
        path.write_bytes(sound.tone(frequency, seconds))
        return path

    def phone(self, number: str, **changes: Any) -> Softphone:
        """One of the operators' phones, not yet started; silent, and answering only when told, unless changed."""
        (password,) = (phone.password for phone in self.plan.phones if phone.number == number)
        values: dict[str, Any] = {
            "user": number,
            "password": password,
            "server": self.server,
            "folder": self.folder / f"phone-{number}",
            "speech": Path("/dev/null"),
            "silence": True,
        }
        return Softphone(PhoneSetup(**(values | changes)))

    def network_caller(self) -> Softphone:
        """A telephone of the public network, not yet started; silent."""
        return Softphone(
            PhoneSetup(
                user="13900002222",
                server=self.server,
                address=NETWORK,
                folder=self.folder / "network-caller",
                speech=Path("/dev/null"),
                silence=True,
            )
        )

    def caller(self, **changes: Any) -> CallerSetup:
        """A caller of the first line with a tone of 1000 Hz."""
        values: dict[str, Any] = {
            "server": self.server,
            "called": NUMBERS[0],
            "folder": self.folder / f"caller-{secrets.token_hex(3)}",
            "port": free_ports(1, udp=True, host=NETWORK)[0],
            "address": NETWORK,
        }
        return CallerSetup(**(values | ({} if "sound" in changes else {"sound": self.tone(1000)}) | changes))


@contextlib.asynccontextmanager
async def asterisk_stand(folder: Path, **changes: Any) -> AsyncIterator[AsteriskStand]:
    """Run Asterisk with eight lines and two phones below *folder*; *changes* are fields of the plan."""
    installation = find_asterisk()
    run = Path(tempfile.mkdtemp(prefix="tl-"))
    fastagi, ami = free_ports(2)
    (sip,) = free_ports(1, udp=True)
    (network,) = free_ports(1, udp=True, host=NETWORK)
    plan = AsteriskPlan(
        folders=Folders(
            config=folder / "etc",
            modules=installation.modules,
            data=installation.data,
            state=folder / "state",
            run=run,
            recordings=folder / "recordings",
        ),
        fallback=Fallback(Path(sys.executable), Path(config.asterisk.fallback.__file__), folder / "snapshot.json"),
        lines=tuple(Line(f"line-{index}", (number,)) for index, number in enumerate(NUMBERS, 1)),
        phones=tuple(Phone(number, secrets.token_urlsafe(18)) for number in ("101", "102")),
        trunk=Trunk(NETWORK, network, (NETWORK,)),
        ami_port=ami,
        ami_secret=secrets.token_hex(16),
        fastagi_port=fastagi,
        sip_port=sip,
    )
    plan = replace(plan, **changes)
    child = AsteriskChild(installation, plan)
    try:
        await child.start()
        yield AsteriskStand(plan, child, folder)
    finally:
        await child.stop()
        shutil.rmtree(run)


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[AsteriskStand]:
    """A running Asterisk as :func:`asterisk_stand` makes it, nothing listening for its FastAGI."""
    async with asterisk_stand(tmp_path) as running:
        yield running
