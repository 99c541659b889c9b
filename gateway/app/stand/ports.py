"""Free ports on loopback."""

import random
import socket

from gateway.core.errors import UnavailableError

# Above Asterisk's range for sound, below the range from which the kernel gives ports to outgoing connections (Linux:
# 32768 and up): a port taken from there by asking for port 0 is soon somebody's source port.
_FIRST, _LAST = 20_100, 32_700
_TRIES = 1000


def free_ports(count: int, *, udp: bool = False, host: str = "127.0.0.1") -> tuple[int, ...]:
    """Return *count* different ports that nothing was bound to a moment ago. Raises :class:`UnavailableError`.

    Another program can take one before it is used: whoever starts a server must see whether the start succeeded.
    """
    kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
    found: list[int] = []
    for port in random.SystemRandom().sample(range(_FIRST, _LAST), _TRIES):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return tuple(found)
    raise UnavailableError(part=f"{count} free ports on {host}", reason=f"{_TRIES} were tried")


def free_port(wanted: int, *, udp: bool = False, host: str = "127.0.0.1") -> int:
    """Return *wanted* when nothing is bound to it, else (or when it is 0) another free one.

    Raises :class:`UnavailableError`.
    """
    if wanted == 0:
        return free_ports(1, udp=udp, host=host)[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as probe:
        if not udp:
            # As servers do: what is left of connections that have ended keeps nobody from listening again.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError:
            return free_ports(1, udp=udp, host=host)[0]
    return wanted
