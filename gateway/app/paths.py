"""Where things lie: the configuration file, the state folder, and what is inside it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.core.errors import Kind, TrunklineError
from gateway.core.text import Text


class StateFolderError(TrunklineError):
    """The state folder cannot be made."""

    code = "state.folder"
    kind = Kind.CONFIG
    cause = Text("The state folder {folder} cannot be made: {reason}.", "无法创建状态目录 {folder}：{reason}。")
    action = Text(
        "Run it as the gateway's user, or set gateway.state_dir to a folder that this user may write.",
        "请以网关的用户身份运行，或将 gateway.state_dir 设为当前用户可写的目录。",
    )


@dataclass(frozen=True, slots=True)
class StatePaths:
    """The layout of the state folder (mode 0700)."""

    root: Path

    @property
    def database(self) -> Path:
        """The SQLite store."""
        return self.root / "trunkline.db"

    @property
    def socket(self) -> Path:
        """The local socket of the running daemon."""
        return self.root / "trunkline.sock"

    @property
    def recordings(self) -> Path:
        """Where Asterisk writes what is spoken."""
        return self.root / "recordings"

    @property
    def archive(self) -> Path:
        """Documents by digest."""
        return self.root / "archive"

    @property
    def directory(self) -> Path:
        """The directory's index; made anew when it is lost."""
        return self.root / "directory"

    @property
    def broker(self) -> Path:
        """The private broker's configuration, persistence and socket."""
        return self.root / "broker"

    @property
    def asterisk(self) -> Path:
        """The private Asterisk's configuration and spool."""
        return self.root / "asterisk"

    @property
    def snapshot(self) -> Path:
        """What Asterisk's fallback reads when the gateway is gone."""
        return self.asterisk / "snapshot.json"

    def create(self) -> None:
        """Make the folder and those inside it; raise :class:`StateFolderError`."""
        for folder in (self.root, self.recordings, self.archive, self.broker, self.asterisk):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise StateFolderError(folder=str(folder), reason=error.strerror or str(error)) from error


def default_config_file(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return ``$XDG_CONFIG_HOME/trunkline/trunkline.toml``, or ``None`` when there is no such file."""
    file = _xdg(environment, "XDG_CONFIG_HOME", ".config") / "trunkline" / "trunkline.toml"
    return file if file.is_file() else None


def default_state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return systemd's ``STATE_DIRECTORY``, else ``$XDG_STATE_HOME/trunkline``."""
    given = environment.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(given) if given else _xdg(environment, "XDG_STATE_HOME", ".local/state") / "trunkline"


def _xdg(environment: Mapping[str, str], variable: str, fallback: str) -> Path:
    given = environment.get(variable, "")
    # The XDG base directory specification has relative paths ignored.
    return Path(given) if given.startswith("/") else Path(environment.get("HOME", "/")) / fallback
