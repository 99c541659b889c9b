"""Free ports on loopback."""

import socket


def free_ports(count: int, *, udp: bool = False, host: str = "127.0.0.1") -> tuple[int, ...]:
    """Return *count* different ports that nothing was bound to a moment ago.

    Another program can take one before it is used: whoever starts a server must see whether the start succeeded.
    """
    kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
    sockets = [socket.socket(socket.AF_INET, kind) for _ in range(count)]
    try:
        for each in sockets:
            each.bind((host, 0))
        return tuple(each.getsockname()[1] for each in sockets)
    finally:
        for each in sockets:
            each.close()
