"""How a feature declares its settings."""

import os
import stat
from pathlib import Path
from typing import ClassVar

import msgspec
import structlog

from gateway.core.errors import Kind, TrunklineError
from gateway.core.text import Text

log = structlog.get_logger(__name__)


class SettingsError(TrunklineError):
    """The configuration cannot be used as it is."""

    kind = Kind.CONFIG
    action = Text("Correct the file and run `trunkline check-config`.", "请修改配置后运行 `trunkline check-config`。")


class SecretError(SettingsError):
    """A secret cannot be read."""

    code = "settings.secret"
    cause = Text("The secret {source} cannot be read: {reason}.", "无法读取密钥 {source}：{reason}。")
    action = Text("Create the file with mode 0600, or pass the credential.", "请创建权限为 0600 的文件，或传入凭据。")


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of the configuration file.

    Every field has a default, a unit in its name where it has one, and a docstring or ``msgspec.Meta(description=…)``
    from which ``docs/reference/settings.md`` is generated. ``SECTION`` is the table's dotted name (``telephone``).
    """

    SECTION: ClassVar[str] = ""


class Secret(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a secret is kept: ``{file = "/path"}`` or ``{credential = "name"}`` (systemd ``LoadCredential=``)."""

    file: str = ""
    credential: str = ""

    def read(self) -> str:
        """Return the secret without its trailing line end. Blocking: call it while starting, not on the event loop.

        A file that everybody can read is told in the log, and read: a gateway that does not start helps nobody.
        """
        if self.credential:
            folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
            if not folder:
                raise SecretError(source=self.credential, reason="there is no CREDENTIALS_DIRECTORY")
            path = Path(folder) / self.credential
        elif self.file:
            path = Path(self.file)
        else:
            raise SecretError(source="(none)", reason="neither file nor credential is given")
        try:
            if path.stat().st_mode & stat.S_IROTH:
                log.warning("a secret can be read by every user of this machine: chmod 600 it", file=str(path))
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise SecretError(source=str(path), reason=str(error)) from error
