"""What Asterisk is to be: every value that its configuration depends on, checked before any of it is written.

Asterisk's files and dialplan have no way of quoting that holds everywhere: a comma, a bracket, a semicolon or a line
end in a value becomes syntax. So nothing is escaped here; a value that could mean anything but itself is refused.
"""

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path

from gateway.core.options import SettingsError
from gateway.core.text import Text

_NUMBER = re.compile(r"\+?[0-9*#]{1,32}")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_PHONE = re.compile(r"[0-9]{2,8}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{16,128}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_PATH = re.compile(r"/[\w.@+/-]*")

# Reserved for the public's emergency and service calls: a phone of this name would swallow the call.
EMERGENCY_NUMBERS = frozenset({"110", "112", "119", "120", "122", "999", "12110", "12119", "12122", "12395"})

UNASSIGNED_LINE = "line-unassigned"


class PlanError(SettingsError):
    """A value cannot be written into Asterisk's configuration."""

    code = "asterisk.plan"
    cause = Text(
        "{field} = {value!r} cannot be given to Asterisk: {reason}.",
        "{field} = {value!r} 不能写入 Asterisk：{reason}。",
    )


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the switchboard: its name, and the numbers by which the public reaches it.

    The first number is the one shown to those who are called from the line.
    """

    name: str
    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Phone:
    """An operator's telephone: its number is also its SIP user name."""

    number: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Trunk:
    """The way to the public network: where calls are sent, and from which addresses or networks they come.

    A source may name a port (``192.0.2.1:5060``), where phones share the address.
    """

    host: str
    port: int
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Folders:
    """Where Asterisk reads and writes; all absolute.

    ``modules`` and ``data`` belong to the installation, ``config`` is where this configuration is written, ``state``
    and ``recordings`` are kept, ``run`` holds the control socket (a short path: a socket's name ends at 107 bytes).
    """

    config: Path
    modules: Path
    data: Path
    state: Path
    run: Path
    recordings: Path


@dataclass(frozen=True, slots=True)
class Fallback:
    """What Asterisk runs by itself when the gateway is gone: a Python interpreter, the script, and its snapshot."""

    python: Path
    script: Path
    snapshot: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class AsteriskPlan:
    """Everything from which the configuration is made. Raises :class:`PlanError` for a value that could be syntax.

    Nothing listens beyond loopback unless ``sip_address`` says so. Times are whole seconds.
    """

    folders: Folders
    fallback: Fallback
    lines: tuple[Line, ...]
    phones: tuple[Phone, ...]
    trunk: Trunk
    ami_port: int
    ami_secret: str = field(repr=False)
    ami_user: str = "trunkline"
    fastagi_port: int = 4573
    sip_address: str = "127.0.0.1"
    sip_port: int = 5060
    rtp_first_port: int = 10000
    rtp_last_port: int = 20000
    ring_s: int = 30
    answer_guard_s: int = 3
    fallback_rounds: int = 10
    media_timeout_s: int = 300
    session_expires_s: int = 180

    def __post_init__(self) -> None:
        self._check_lines()
        self._check_phones()
        self._check_network()
        self._check_paths()
        _match("ami_secret", self.ami_secret, _SECRET, "16 to 128 letters, digits, - or _", secret=True)
        _match("ami_user", self.ami_user, _NAME, "a lower-case name")
        for name, lowest in (
            ("ring_s", 1),
            ("answer_guard_s", 1),
            ("fallback_rounds", 1),
            ("media_timeout_s", 1),
            ("session_expires_s", 90),  # RFC 4028 section 5: no session timer is shorter
        ):
            _at_least(name, getattr(self, name), lowest)

    def _check_lines(self) -> None:
        if not self.lines:
            raise PlanError(field="lines", value=(), reason="at least one line is needed")
        seen: set[str] = set()
        for line in self.lines:
            _match("lines.name", line.name, _NAME, "a lower-case name")
            if line.name == UNASSIGNED_LINE or line.name in seen:
                raise PlanError(field="lines.name", value=line.name, reason="the name is taken")
            seen.add(line.name)
            if not line.numbers:
                raise PlanError(field=f"lines.{line.name}.numbers", value=(), reason="at least one number is needed")
            for number in line.numbers:
                _match(f"lines.{line.name}.numbers", number, _NUMBER, "1 to 32 of 0-9 * #, perhaps a leading +")
                if number in seen:
                    raise PlanError(field=f"lines.{line.name}.numbers", value=number, reason="another line has it")
                seen.add(number)

    def _check_phones(self) -> None:
        seen: set[str] = set()
        for phone in self.phones:
            _match("phones.number", phone.number, _PHONE, "2 to 8 digits")
            _match(
                f"phones.{phone.number}.password", phone.password, _SECRET, "16 to 128 of A-Z a-z 0-9 - _", secret=True
            )
            if phone.number in EMERGENCY_NUMBERS:
                raise PlanError(field="phones.number", value=phone.number, reason="it is an emergency number")
            if phone.number in seen:
                raise PlanError(field="phones.number", value=phone.number, reason="two phones have it")
            seen.add(phone.number)

    def _check_network(self) -> None:
        _match("trunk.host", self.trunk.host, _HOST, "a host name or an IPv4 address")
        for source in self.trunk.sources:
            _address("trunk.sources", source.partition(":")[0])
            _, colon, port = source.partition(":")
            if colon:
                _port("trunk.sources", int(port) if port.isdecimal() else 0)
        _address("sip_address", self.sip_address)
        _port("trunk.port", self.trunk.port)
        for name in ("ami_port", "fastagi_port", "sip_port", "rtp_first_port", "rtp_last_port"):
            _port(name, getattr(self, name))
        # Every call takes two ports on each leg, and Asterisk searches at random.
        _at_least("rtp_last_port", self.rtp_last_port, self.rtp_first_port + 100)

    def _check_paths(self) -> None:
        for owner in (self.folders, self.fallback):
            for name in owner.__slots__:
                path = str(getattr(owner, name))
                _match(name, path, _PATH, "an absolute path of letters, digits, and . @ + - _")
        _at_most_bytes("folders.run", str(self.folders.run), 90)


def _match(name: str, value: str, pattern: re.Pattern[str], reason: str, *, secret: bool = False) -> None:
    if pattern.fullmatch(value) is None:
        raise PlanError(field=name, value="…" if secret else value, reason=f"it must be {reason}")


def _address(name: str, value: str) -> None:
    try:
        ipaddress.IPv4Network(value, strict=False)
    except ValueError as error:
        raise PlanError(field=name, value=value, reason="it must be an IPv4 address or network") from error


def _port(name: str, value: int) -> None:
    if not 0 < value < 1 << 16:
        raise PlanError(field=name, value=value, reason="a port is 1 to 65535")


def _at_least(name: str, value: int, lowest: int) -> None:
    if value < lowest:
        raise PlanError(field=name, value=value, reason=f"it must be {lowest} or more")


def _at_most_bytes(name: str, value: str, longest: int) -> None:
    if len(value.encode()) > longest:
        raise PlanError(
            field=name, value=value, reason=f"a socket in it would have too long a name (over {longest} bytes)"
        )
