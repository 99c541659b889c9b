import os

import pytest

from trunks.radio.errors import SerialPortError
from trunks.radio.serial_port import SerialPort


@pytest.fixture
def pty(tmp_path):
    master, slave = os.openpty()
    link = tmp_path / "radio"
    link.symlink_to(os.ttyname(slave))
    yield master, link
    os.close(slave)


def test_octets_go_both_ways_without_waiting(pty):
    master, link = pty
    port = SerialPort(str(link), 9600)
    assert port.read() == b""
    os.write(master, b"\r\nOK\r\n")
    assert port.read() == b"\r\nOK\r\n"
    assert port.write(b"AT\r") == 3
    assert os.read(master, 10) == b"AT\r"
    port.close()
    os.close(master)


def test_a_path_that_leads_elsewhere_is_noticed(pty):
    master, link = pty
    port = SerialPort(str(link), 9600)
    assert port.in_place()
    other = os.openpty()
    link.unlink()
    link.symlink_to(os.ttyname(other[1]))
    assert not port.in_place()
    link.unlink()
    assert not port.in_place()
    port.close()
    for descriptor in (master, *other):
        os.close(descriptor)


def test_two_programs_do_not_share_a_port(pty):
    master, link = pty
    port = SerialPort(str(link), 9600)
    with pytest.raises(SerialPortError):
        SerialPort(str(link), 9600)
    port.close()
    os.close(master)


def test_a_port_without_handshake_lines_says_so(pty):
    master, link = pty
    port = SerialPort(str(link), 9600)
    with pytest.raises(SerialPortError):
        port.set_lines(["rts"], on=True)
    with pytest.raises(SerialPortError):
        port.line("dcd")
    port.close()
    os.close(master)


def test_a_port_that_is_not_there_and_one_that_goes_away(pty, tmp_path):
    with pytest.raises(SerialPortError, match="none"):
        SerialPort(str(tmp_path / "none"), 9600)
    master, link = pty
    port = SerialPort(str(link), 9600)
    os.close(master)
    with pytest.raises(SerialPortError):
        port.read()
    with pytest.raises(SerialPortError):
        port.write(b"AT\r")
    port.close()
