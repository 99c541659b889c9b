"""Writes what the broker and Asterisk need before they are started: their configuration and random credentials.

Blocking functions, for the command line and the stand. A credential is made once and kept in a file of mode 0600.
"""

import os
import secrets
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import config.asterisk.fallback
from config.asterisk.plan import AsteriskPlan, Fallback, Folders, Line, Phone, Trunk
from config.settings import Settings
from gateway.app.options import AsteriskServerOptions
from gateway.app.paths import StatePaths
from gateway.asterisk.options import AmiOptions, FastAgiOptions
from gateway.bus.broker import BrokerPaths
from trunks.telephone.options import TelephoneOptions


@dataclass(frozen=True, slots=True)
class Credentials:
    """Random passwords in files of one folder, each made when it is first asked for."""

    folder: Path

    def read(self, name: str) -> str:
        """Return the password *name*, making it if there is none. Raises ``OSError``."""
        path = self.folder / name
        try:
            return path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self.folder)  # 0600
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(24) + "\n")
                file.flush()
                os.fsync(file.fileno())
            # A link, not a rename: of two programs that make it at once, both go on with the first one's password.
            try:
                os.link(temporary, path)
            except FileExistsError:
                return path.read_text(encoding="ascii").strip()
            finally:
                Path(temporary).unlink()
            return path.read_text(encoding="ascii").strip()


def credentials(paths: StatePaths) -> Credentials:
    """Return the credentials between the gateway and its own broker, Asterisk and telephones."""
    return Credentials(paths.root / "credentials")


def broker_paths(paths: StatePaths) -> BrokerPaths:
    """Return where the private broker keeps its things."""
    return BrokerPaths(
        socket=paths.broker / "mqtt.sock",
        configuration=paths.broker / "mosquitto.conf",
        security=paths.broker / "dynamic-security.json",
        persistence=paths.broker,
    )


def ami_secret(settings: Settings, paths: StatePaths) -> str:
    """Return the secret of the manager interface: the configured one, else that of the generated Asterisk."""
    given = settings.of(AmiOptions).secret
    return given.read() if given.file or given.credential else credentials(paths).read("ami")


def asterisk_plan(settings: Settings, paths: StatePaths, *, modules: Path, data: Path, run: Path) -> AsteriskPlan:
    """Return what Asterisk is to be, from the settings. *run* is a short path for its control socket."""
    server = settings.of(AsteriskServerOptions)
    telephone = settings.of(TelephoneOptions)
    kept = credentials(paths)
    return AsteriskPlan(
        folders=Folders(
            config=paths.asterisk / "etc",
            modules=modules,
            data=data,
            state=paths.asterisk / "state",
            run=run,
            recordings=paths.recordings,
        ),
        fallback=Fallback(
            python=Path(sys.executable), script=Path(config.asterisk.fallback.__file__), snapshot=paths.snapshot
        ),
        lines=tuple(Line(line.name, line.numbers) for line in telephone.lines if line.numbers),
        phones=tuple(Phone(phone.number, kept.read(f"phone-{phone.number}")) for phone in telephone.phones),
        trunk=Trunk(server.trunk.host, server.trunk.port, server.trunk.sources),
        ami_port=settings.of(AmiOptions).port,
        ami_secret=ami_secret(settings, paths),
        ami_user=settings.of(AmiOptions).user,
        fastagi_port=settings.of(FastAgiOptions).port,
        sip_address=server.sip_address,
        sip_port=server.sip_port,
        rtp_first_port=server.rtp_first_port,
        rtp_last_port=server.rtp_last_port,
        ring_s=telephone.ring_s,
    )
