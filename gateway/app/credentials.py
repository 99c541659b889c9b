"""Random passwords between the gateway and its own broker, Asterisk and telephones.

Each is made once, when it is first asked for, and kept in a file of mode 0600. Blocking.
"""

import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gateway.app.paths import StatePaths
from gateway.bus.broker import BrokerPaths


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
