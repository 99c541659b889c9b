"""The command line's way to the daemon when the daemon goes away in the middle."""

import gc
import json
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.app import client
from gateway.app.cli import main
from gateway.app.client import CommandUnansweredError, DaemonLostError, DaemonNotRunningError, LocalClient

Serve = Callable[[Callable[[socket.socket], None]], Path]


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose sockets have short paths."""
    with tempfile.TemporaryDirectory(prefix="tl-") as folder:
        yield Path(folder)


@pytest.fixture
def serve(short_path: Path) -> Iterator[Serve]:
    """Serve each connection with a function, one after the other; return the path of the socket."""
    listener = socket.socket(socket.AF_UNIX)
    listener.settimeout(10)
    threads = []

    def start(answer: Callable[[socket.socket], None]) -> Path:
        path = short_path / "trunkline.sock"
        listener.bind(str(path))
        listener.listen()

        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(10)
                    answer(connection)

        thread = threading.Thread(target=run, name="half-a-daemon")
        thread.start()
        threads.append(thread)
        return path

    yield start
    if threads:
        listener.shutdown(socket.SHUT_RDWR)  # ends the accept
    listener.close()
    for thread in threads:
        thread.join(10)


def _hang_up(connection: socket.socket) -> None:
    """Read the head of a request and go away, as a daemon that is killed."""
    connection.recv(65536)


def _status_then_hang_up(connection: socket.socket) -> None:
    while request := connection.recv(65536):
        if not request.startswith(b"GET /api/v1/status"):
            return
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")


def _ask(client: LocalClient) -> None:
    client.command("tel.dial", {"number": "110"}, key="c-1", ttl_s=None, wait_s=0)


def test_a_connection_that_breaks_after_a_command_was_sent_leaves_it_unknown(serve: Serve) -> None:
    with LocalClient(serve(_hang_up)) as one, pytest.raises(CommandUnansweredError) as caught:
        _ask(one)
    assert caught.value.kind.exit_code == 11
    for language in ("en", "zh"):
        assert "send tel.dial … --id c-1" in caught.value.message(language)


def test_a_daemon_that_does_not_answer_leaves_it_unknown(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_TIMEOUT_S", 0.2)
    going = threading.Event()

    def keep_silent(connection: socket.socket) -> None:
        connection.recv(65536)
        going.wait(10)

    path = serve(keep_silent)
    try:
        with LocalClient(path) as one, pytest.raises(CommandUnansweredError):
            _ask(one)
    finally:
        going.set()


def test_other_changes_may_have_been_made_too(serve: Serve) -> None:
    with LocalClient(serve(_hang_up)) as one, pytest.raises(DaemonLostError):
        one.import_contacts("单位\n".encode(), dry_run=False)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # httpcore leaves the socket behind
def test_a_stale_socket_is_no_daemon(short_path: Path) -> None:
    path = short_path / "trunkline.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with LocalClient(path) as one, pytest.raises(DaemonNotRunningError):
        _ask(one)
    gc.collect()


def test_the_command_line_tells_the_id_and_ends_with_eleven(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    path = serve(_status_then_hang_up)
    monkeypatch.setenv("TRUNKLINE_GATEWAY__STATE_DIR", str(path.parent))
    result = CliRunner().invoke(main, ["send", "tel.dial", "number=110", "--id", "c-7", "--json"])
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["id"], answer["state"]) == (11, "c-7", "unknown")
