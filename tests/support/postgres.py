"""A PostgreSQL cluster of the test session's own, in a temporary folder, with a password and a unix socket only."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

_BIN = Path("/usr/lib/postgresql/15/bin")
_USER = "trunkline"
_DEADLINE_S = 30.0


class PostgresCluster:
    """``initdb`` in a folder below /tmp; PostgreSQL refuses to run as root, so that root runs it as ``postgres``."""

    def __init__(self, parent: Path = Path("/tmp")) -> None:
        # Not below pytest's folder: that one is closed to other users, and its path is too long for a socket.
        self.folder = Path(tempfile.mkdtemp(prefix="tl-pg-", dir=parent))
        self.password = secrets.token_urlsafe(16)
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._as = ["setpriv", "--pdeathsig", "SIGQUIT", "--"]
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
            self._as = [
                *("setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups"),
                *("--pdeathsig", "SIGQUIT", "--"),
            ]
        self._initdb()
        self.start()

    def _initdb(self) -> None:
        secret = self.folder / "password"
        secret.write_text(self.password)
        if os.geteuid() == 0:
            shutil.chown(secret, "postgres", "postgres")
        command = [
            *(*self._as, _BIN / "initdb", "-D", self.folder / "data", "-U", _USER, "--auth=scram-sha-256"),
            *(f"--pwfile={secret}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
        ]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        """Start the server and wait until it answers.

        Call it on the main thread: the server is told to end together with the thread that started it.
        """
        command = [
            *(*self._as, _BIN / "postgres", "-D", self.folder / "data", "-k", self.folder, "-p", str(self.port)),
            *("-c", "listen_addresses=", "-c", "fsync=on", "-c", "max_connections=30", "-c", "shared_buffers=16MB"),
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd="/", stdout=log, stderr=log)
        end = time.monotonic() + _DEADLINE_S
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server; ``SIGQUIT`` is a crash without a checkpoint, which the next start has to recover from."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_DEADLINE_S)
            self._process = None

    def end_sessions(self) -> None:
        """Break every connection, as a network or a failing proxy would, without stopping the server."""
        with self.connect() as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

    def remove(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.folder), port=self.port, user=_USER, password=self.password, dbname=database, autocommit=True
        )

    def new_database(self) -> str:
        """Create an empty database and return its URL, without the password."""
        name = f"t{secrets.token_hex(6)}"
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql+psycopg://{_USER}@/{name}?host={self.folder}&port={self.port}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
