"""A manager interface made of a few lines, which does exactly what a test tells it: faults included."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable

Answer = Callable[[dict[str, str]], bytes | None]


class FakeAmi:
    """Answers each action by ``answers[action]``, or with Success. ``None`` is no answer at all."""

    def __init__(self) -> None:
        self.actions: list[dict[str, str]] = []
        self.raw: list[bytes] = []
        self.answers: dict[str, Answer] = {}
        self.greeting = b"Asterisk Call Manager/11.0.0\r\n"
        self.booted = True
        self.sessions = 0
        self.reading = asyncio.Event()
        self.reading.set()
        self.secret = "secret"
        self.writers: list[asyncio.StreamWriter] = []
        self.port = 0

    def send(self, data: bytes | str) -> None:
        self.writers[-1].write(data.encode() if isinstance(data, str) else data)

    def event(self, name: str, **headers: str) -> None:
        self.send(f"Event: {name}\r\n" + "".join(f"{key}: {value}\r\n" for key, value in headers.items()) + "\r\n")

    def drop(self) -> None:
        self.writers[-1].transport.abort()

    def named(self, action: str) -> list[dict[str, str]]:
        return [one for one in self.actions if one["Action"] == action]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.sessions += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            writer.write(self.greeting)
            while True:
                await self.reading.wait()
                block = await reader.readuntil(b"\r\n\r\n")
                self.raw.append(block)
                action = dict(line.split(": ", 1) for line in block.decode().strip().split("\r\n"))
                self.actions.append(action)
                answer = self.answers.get(action["Action"], self._usual)(action)
                if answer is not None:
                    writer.write(answer)
        writer.close()

    def _usual(self, action: dict[str, str]) -> bytes:
        more = ""
        response = "Success"
        if action["Action"] == "Challenge":
            more = "Challenge: 12345\r\n"
        after = ""
        if action["Action"] == "Login":
            key = hashlib.md5(f"12345{self.secret}".encode()).hexdigest()  # noqa: S324
            if self.secret != action.get("Secret") and key != action.get("Key"):
                response, more = "Error", "Message: Authentication failed\r\n"
            elif self.booted:
                after = "Event: FullyBooted\r\nStatus: Fully Booted\r\n\r\n"
        return f"Response: {response}\r\nActionID: {action['ActionID']}\r\n{more}\r\n{after}".encode()


@contextlib.asynccontextmanager
async def fake_ami() -> AsyncIterator[FakeAmi]:
    fake = FakeAmi()
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        fake.reading.set()
        server.close()
        for writer in fake.writers:
            writer.transport.abort()
        await asyncio.sleep(0)
