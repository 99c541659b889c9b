"""Commands to a modem and its answers, in order, over a port: the AT codec on the event loop."""

import asyncio
import contextlib
from collections.abc import Sequence

from gateway.core.clock import Clock
from sms.at import AtCodec, Command, Prompt, Reply, Unsolicited
from sms.causes import Cure
from sms.errors import ModemLostError, ModemRefusedError, ModemSilentError, SendRefusedError, SendUnknownError
from sms.serial_port import Port

_NEWS_LIMIT = 1024
_SETTLE_TRIES = 3
_SETTLE_TIMEOUT_S = 2.0
_QUIET_S = 0.2


class ModemLink:
    """One port while it is open. Commands wait for each other; news goes into :attr:`news`."""

    def __init__(self, port: Port, clock: Clock, *, timeout_s: float) -> None:
        self._port = port
        self._clock = clock
        self._timeout_s = timeout_s
        self._codec = AtCodec()
        self._turn = asyncio.Lock()
        self._replies: asyncio.Queue[Reply | Prompt | ModemLostError] = asyncio.Queue()
        self.news: asyncio.Queue[Unsolicited | None] = asyncio.Queue(_NEWS_LIMIT)
        """What the modem said of its own accord; None once the port is gone."""
        self.lost_news = 0
        self._reader: asyncio.Task[None] | None = None
        self._suspect = False

    def learn(self, more_unsolicited: Sequence[str]) -> None:
        """Know the news of this model, once it is known."""
        self._codec.learn(more_unsolicited)

    def start(self) -> None:
        """Begin to read the port."""
        self._reader = asyncio.create_task(self._read(), name="sms-modem-reader")

    async def close(self) -> None:
        """End reading and let go of the port."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        self._port.close()

    async def ask(self, command: Command | str, *, timeout_s: float | None = None) -> Reply:
        """Send a command and return how it ended, well or not.

        Raises :class:`ModemSilentError`, after which the modem was told to forget it, or :class:`ModemLostError`.
        """
        asked = Command(command) if isinstance(command, str) else command
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        async with self._turn:
            await self._begin(asked)
            return await self._reply(asked, limit_s)

    async def demand(self, command: Command | str, *, timeout_s: float | None = None) -> Reply:
        """Like :meth:`ask`, and raise :class:`ModemRefusedError` when it did not end well."""
        reply = await self.ask(command, timeout_s=timeout_s)
        if not reply.final.ok:
            raise ModemRefusedError(command=_public(reply.command.text), answer=str(reply.final))
        return reply

    async def send(self, command: Command, *, timeout_s: float) -> Reply:
        """Send a command with a payload.

        Raises :class:`SendRefusedError` while nothing of the payload was given, :class:`SendUnknownError` after that
        when no answer came.
        """
        async with self._turn:
            try:
                await self._begin(command)
                prompt = await self._answer(command, self._timeout_s)
            except (ModemSilentError, ModemLostError) as error:
                self._tell(None)
                raise SendRefusedError(cause=error.code, cure=Cure.MODEM) from error
            if isinstance(prompt, Reply):
                if not prompt.final.ok:
                    return prompt
                self._give_up()  # it says that it is done, and was never given anything
                raise SendRefusedError(cause="no-prompt", cure=Cure.MODEM)
            try:
                self._port.write(self._codec.payload())
                return await self._reply(command, timeout_s)
            except (ModemSilentError, ModemLostError) as error:
                self._tell(None)
                raise SendUnknownError(cause=error.code) from error

    async def _begin(self, command: Command) -> None:
        if self._suspect:
            await self._settle()
        self._drain()
        self._port.write(self._codec.send(command))

    async def _settle(self) -> None:
        """After a command was given up: wait until its late answer cannot be taken for the next one's."""
        hello = Command("AT")
        for _ in range(_SETTLE_TRIES):
            self._drain()
            self._port.write(self._codec.send(hello))
            try:
                await self._reply(hello, min(self._timeout_s, _SETTLE_TIMEOUT_S))
            except ModemSilentError:
                continue
            await self._clock.sleep(_QUIET_S)
            self._suspect = False
            return
        raise ModemSilentError(command=hello.text, timeout_s=_SETTLE_TRIES * _SETTLE_TIMEOUT_S)

    def _drain(self) -> None:
        while not self._replies.empty():
            got = self._replies.get_nowait()
            if isinstance(got, ModemLostError):
                self._replies.put_nowait(got)  # for who asks next
                raise got

    def _give_up(self) -> None:
        self._suspect = True
        self._port.write(self._codec.abandon())

    async def _reply(self, command: Command, limit_s: float) -> Reply:
        while True:
            got = await self._answer(command, limit_s)
            if isinstance(got, Reply):
                return got

    async def _answer(self, command: Command, limit_s: float) -> Reply | Prompt:
        try:
            async with self._clock.timeout(limit_s):
                got = await self._replies.get()
        except TimeoutError:
            self._give_up()
            raise ModemSilentError(command=_public(command.text), timeout_s=limit_s) from None
        except asyncio.CancelledError:
            with contextlib.suppress(ModemLostError):
                self._give_up()
            raise
        if isinstance(got, ModemLostError):
            self._replies.put_nowait(got)
            raise got
        return got

    async def _read(self) -> None:
        try:
            while True:
                data = await self._port.read()
                for happened in self._codec.feed(data):
                    if isinstance(happened, Reply | Prompt):
                        self._replies.put_nowait(happened)
                    elif isinstance(happened, Unsolicited):
                        self._tell(happened)
        except ModemLostError as error:
            self._replies.put_nowait(error)
            self._tell(None)

    def _tell(self, news: Unsolicited | None) -> None:
        if self.news.full():
            self.news.get_nowait()
            self.lost_news += 1  # what was announced is found in the storage at the next purge
        self.news.put_nowait(news)


def _public(command: str) -> str:
    return "AT+CPIN=…" if command.startswith("AT+CPIN=") else command
