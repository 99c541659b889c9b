"""The command line's way to the running daemon: HTTP over its local socket."""

import json
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from gateway.core.errors import DeadlineError, Kind, TrunklineError
from gateway.core.text import Language, Text

_TIMEOUT_S = 10.0
_IMPORT_S = 120.0


class DaemonNotRunningError(TrunklineError):
    """There is no daemon behind the local socket."""

    code = "daemon.not_running"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("No daemon answers at {socket}.", "{socket} 处没有正在运行的守护进程。")
    action = Text(
        "Start it with `trunkline run`, or `make run` for a trial.", "请用 `trunkline run` 启动，或用 `make run` 试用。"
    )


class DaemonNotPermittedError(TrunklineError):
    """The local socket is there, and this user may not speak to it."""

    code = "daemon.not_permitted"
    kind = Kind.REFUSED
    cause = Text("This user may not use the local socket {socket}.", "当前用户无权使用本地套接字 {socket}。")
    action = Text(
        "Run it as the gateway's user, for example `sudo -u trunkline trunkline …`.",
        "请以网关的用户身份运行，例如 `sudo -u trunkline trunkline …`。",
    )


class DaemonRefusedError(TrunklineError):
    """The daemon answered with an error of its own, which is passed on: its id is ``original_code``."""

    code = "daemon.refused"
    kind = Kind.FAILED
    cause = Text("{title}", "{title}")
    action = Text("{detail}", "{detail}")

    def __init__(self, problem: Mapping[str, Any], status: int) -> None:
        self.status = status
        self.problem = problem
        super().__init__(
            title=str(problem.get("title", "no title")),
            detail=str(problem.get("detail", "")),
        )

    @property
    def original_code(self) -> str:
        """The id of the daemon's error."""
        return str(self.problem.get("code", self.code))

    @property
    def exit_code(self) -> int:
        """The exit code of the kind whose HTTP status was answered."""
        return next((kind.exit_code for kind in Kind if kind.http_status == self.status), self.kind.exit_code)


class CommandUnansweredError(TrunklineError):
    """A command was sent, and no answer came: the connection broke or the daemon was silent for too long."""

    code = "daemon.command_unanswered"
    kind = Kind.UNKNOWN_OUTCOME
    cause = Text(
        "The daemon did not answer; whether {name} was carried out is not known.",
        "守护进程没有答复；{name} 是否已执行未知。",
    )
    action = Text(
        "Ask with the same id, which never does it twice: `trunkline send {name} … --id {command_id}`.",
        "请用同一标识查询，绝不会重复执行：`trunkline send {name} … --id {command_id}`。",
    )


class DaemonLostError(TrunklineError):
    """Something else was sent, and no answer came."""

    code = "daemon.lost"
    kind = Kind.UNKNOWN_OUTCOME
    cause = Text("The daemon did not answer; whether it was done is not known.", "守护进程没有答复；是否已完成未知。")
    action = Text("Look at what there is now before you do it again.", "请先查看现状，再决定是否重做。")


class LocalClient:
    """Speaks to the daemon. Blocking; for the command line only."""

    def __init__(self, socket: Path, language: Language = "en") -> None:
        self._socket = socket
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(socket)),
            base_url="http://trunkline.local",
            headers={"Accept-Language": language},
            timeout=_TIMEOUT_S,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def status(self) -> dict[str, Any]:
        """Return the daemon's status document."""
        return self._json(self._request("GET", "/api/v1/status"))

    def command(
        self, name: str, data: Mapping[str, Any], *, key: str, ttl_s: float | None, wait_s: float
    ) -> dict[str, Any]:
        """Send a command under the idempotency key *key* and return its answer after at most *wait_s*."""
        headers = {"Idempotency-Key": key, "Prefer": f"wait={int(wait_s)}"}
        try:
            answer = self._request(
                "POST",
                f"/api/v1/commands/{name}",
                json=dict(data),
                params={} if ttl_s is None else {"ttl_s": ttl_s},
                headers=headers,
                timeout=wait_s + _TIMEOUT_S,
            )
        except DaemonLostError as error:
            raise CommandUnansweredError(name=name, command_id=key) from error.__cause__
        return self._json(answer)

    def import_contacts(self, data: bytes, *, dry_run: bool) -> dict[str, Any]:
        """Import a CSV file of contacts; return the report."""
        params = {"dry_run": str(dry_run).lower()}
        return self._json(
            self._request("POST", "/api/v1/contacts/import", content=data, params=params, timeout=_IMPORT_S)
        )

    def export_contacts(self, *, workbook: bool) -> bytes:
        """Return all contacts as CSV."""
        return self._request(
            "GET", "/api/v1/contacts/export", params={"format": "xlsx" if workbook else "csv"}, timeout=_IMPORT_S
        ).content

    def journal(self, from_seq: int) -> Iterator[dict[str, Any]]:
        """Yield every event with a sequence number of at least *from_seq* that is durable by now."""
        return self._stream("/api/v1/journal", {"from_seq": str(from_seq)}, _json_lines)

    def events(self, from_seq: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield events as they are told, from *from_seq* on, until the daemon ends the stream."""
        return self._stream("/api/v1/events", {} if from_seq is None else {"from_seq": str(from_seq)}, _sse_events)

    def _stream(
        self, path: str, params: dict[str, str], read: Callable[[Iterator[str]], Iterator[dict[str, Any]]]
    ) -> Iterator[dict[str, Any]]:
        self._look_first()
        try:
            with self._http.stream("GET", path, params=params, timeout=httpx.Timeout(_TIMEOUT_S, read=30.0)) as answer:
                if answer.is_error:
                    answer.read()
                    self._raise(answer)
                yield from read(answer.iter_lines())
        except httpx.TransportError as error:
            raise DaemonNotRunningError(socket=str(self._socket)) from error

    def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        self._look_first()
        try:
            answer = self._http.request(method, path, **arguments)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise DaemonNotRunningError(socket=str(self._socket)) from error
        except httpx.TransportError as error:
            if method != "GET":
                raise DaemonLostError from error  # it was sent, and may have been done
            if isinstance(error, httpx.TimeoutException):
                raise DeadlineError(what="trunkline", timeout_s=_TIMEOUT_S) from error
            raise DaemonNotRunningError(socket=str(self._socket)) from error
        if answer.is_error:
            self._raise(answer)
        return answer

    def _look_first(self) -> None:
        """Raise what a failing connection would not tell apart: no daemon, or a daemon of another user."""
        try:
            there = self._socket.exists()
        except PermissionError as error:  # the folder itself is closed to this user
            raise DaemonNotPermittedError(socket=str(self._socket)) from error
        if not there:
            raise DaemonNotRunningError(socket=str(self._socket))
        if not os.access(self._socket, os.W_OK):
            raise DaemonNotPermittedError(socket=str(self._socket))

    @staticmethod
    def _json(answer: httpx.Response) -> dict[str, Any]:
        document = answer.json()
        assert isinstance(document, dict)  # noqa: S101  # every document of the daemon is an object
        return document

    @staticmethod
    def _raise(answer: httpx.Response) -> None:
        try:
            problem = answer.json()
        except ValueError:
            problem = {"code": "daemon.refused", "title": answer.reason_phrase, "detail": answer.text[:200]}
        raise DaemonRefusedError(problem, answer.status_code)


class _SseReader:
    """Puts the lines of a stream of server-sent events together; named events are for the page and left out."""

    def __init__(self) -> None:
        self._name = ""
        self._data: list[str] = []

    def feed(self, line: str) -> dict[str, Any] | None:
        """Take a line; return the event that it ends, if any."""
        if line.startswith("event:"):
            self._name = line[6:].strip()
        elif line.startswith("data:"):
            self._data.append(line[5:].removeprefix(" "))
        elif not line:
            name, data = self._name, self._data
            self._name, self._data = "", []
            if data and not name:
                event: dict[str, Any] = json.loads("\n".join(data))
                return event
        return None


def _sse_events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    reader = _SseReader()
    for line in lines:
        event = reader.feed(line)
        if event is not None:
            yield event


async def server_sent_events(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, Any]]:
    """Yield the events of a stream of ``/api/v1/events``."""
    reader = _SseReader()
    async for line in lines:
        event = reader.feed(line)
        if event is not None:
            yield event


def _json_lines(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line:
            yield json.loads(line)
