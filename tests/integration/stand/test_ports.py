import socket

import pytest

from gateway.app.stand.ports import free_port, free_ports

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("udp", [False, True])
def test_ports_are_free_different_and_no_source_ports(udp):
    ports = free_ports(20, udp=udp)
    assert len(set(ports)) == 20
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:  # noqa: PTH123 - a kernel's file
        lowest = int(file.read().split()[0])
    assert all(1024 < port < lowest for port in ports)
    for port in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as probe:
            probe.bind(("127.0.0.1", port))


@pytest.mark.parametrize("udp", [False, True])
def test_a_wanted_port_is_taken_when_it_is_free_and_only_then(udp):
    (port,) = free_ports(1, udp=udp)
    assert free_port(port, udp=udp) == port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as other:
        other.bind(("127.0.0.1", port))
        if not udp:
            other.listen()
        assert free_port(port, udp=udp) not in {0, port}
    assert free_port(0, udp=udp) != 0
