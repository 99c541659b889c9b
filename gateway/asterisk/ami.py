"""The client of Asterisk's manager interface: what the rest of the gateway sees of it.

Owners subscribe to events and register hooks before the client is started. After each login the hooks run (adoption of
live calls) while events already flow, so an owner's hook and its handlers must agree on Uniqueid, whichever is first.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog

from gateway.asterisk.ami_codec import AmiMessage
from gateway.asterisk.ami_queue import AmiQueue
from gateway.asterisk.ami_session import AmiSession, Header
from gateway.asterisk.errors import (
    AmiDeadlineError,
    AmiLoginError,
    AmiLostError,
    AmiRefusedError,
    AmiUnavailableError,
)
from gateway.asterisk.options import AmiOptions
from gateway.core.clock import Clock
from gateway.core.supervisor import Reporter

log = structlog.get_logger(__name__)

Handler = Callable[[AmiMessage], None]
EVERY = "*"
"""Subscribes to every event, which also switches the filters off: for tools, not for services."""

_OWN_EVENTS = ("FullyBooted", "Shutdown")


class AmiClient:
    """A supervised adapter: one run is one session, and the supervisor's back-off is the time between two."""

    name = "ami"

    def __init__(self, options: AmiOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._handlers: dict[str, list[Handler]] = {name: [] for name in _OWN_EVENTS}
        self._every: list[Handler] = []
        self._session_hooks: list[Callable[[], Awaitable[None]]] = []
        self._lost_hooks: list[Callable[[str], None]] = []
        self._gap_hooks: list[Callable[[str], None]] = []
        self._session: AmiSession | None = None
        self._booted = asyncio.Event()
        self._filtered: frozenset[str] | None = None
        self.subscribe("FullyBooted", handler=lambda _: self._booted.set())
        self.subscribe("Shutdown", handler=self._on_shutdown)

    @property
    def connected(self) -> bool:
        """Whether actions can be sent now."""
        return self._session is not None

    def subscribe(self, *events: str, handler: Handler) -> Callable[[], None]:
        """Call *handler* for each of *events*, on the event loop, in the order of arrival; return what ends that.

        A handler is fast and never waits. Names that were not known at the login are refused with ``ValueError`` while
        a session stands, because Asterisk filters by name. A handler that raises is logged, told as a gap, and called
        again for the next event.
        """
        filtered = self._filtered
        if self._session is not None and filtered is not None and not filtered.issuperset(events):
            raise ValueError(f"subscribe before the session: {sorted(set(events) - filtered)}")
        lists = [self._every if event == EVERY else self._handlers.setdefault(event, []) for event in events]
        for handlers in lists:
            handlers.append(handler)

        def end() -> None:
            for handlers in lists:
                handlers.remove(handler)

        return end

    def open_queue(self, *events: str, limit: int = 1000) -> AmiQueue:
        """Return a bounded queue of *events* for a consumer that has to wait. See :class:`AmiQueue`."""
        queue = AmiQueue(limit)
        queue.on_close(self.subscribe(*events, handler=queue.put))
        return queue

    def on_session(self, hook: Callable[[], Awaitable[None]]) -> None:
        """Await *hook* after each login, before the adapter is ready. A hook that raises ends the session."""
        self._session_hooks.append(hook)

    def on_lost(self, hook: Callable[[str], None]) -> None:
        """Call *hook* with the reason when a session that had logged in has ended."""
        self._lost_hooks.append(hook)

    def on_gap(self, hook: Callable[[str], None]) -> None:
        """Call *hook* with the reason when events may have been missed although the session stands."""
        self._gap_hooks.append(hook)

    async def action(self, action: str, *, deadline_s: float = 5.0, **headers: Header) -> AmiMessage:
        """Send an action and return Asterisk's answer; a header with several values is repeated.

        Raises ``ami.unavailable`` (nothing was sent), ``ami.refused`` (nothing was done), ``ami.deadline`` and
        ``ami.lost`` (whether it was done is unknown), ``asterisk.unsafe_value``. Cancelling undoes nothing.
        """
        answer, _ = await self._current().action(action, headers, deadline_s=deadline_s)
        return answer

    async def list_action(self, action: str, *, deadline_s: float = 5.0, **headers: Header) -> list[AmiMessage]:
        """Send an action that answers by a list of events and return them without the ``…Complete`` at the end.

        These events go to the caller only, never to subscribers. Raises as :meth:`action`.
        """
        _, items = await self._current().action(action, headers, deadline_s=deadline_s, collect=True)
        return items

    async def run(self, reporter: Reporter) -> None:
        """Hold one session until it ends, then raise the reason."""
        secret = await asyncio.to_thread(self._options.secret.read)
        async with self._connection() as session:
            await self._log_in(session, secret)
            self._session = session
            reason = "the gateway stops"
            try:
                await self._boot(session)
                log.info("asterisk is connected")
                await self._adopt(session)
                reporter.ready()
                await self._keep_alive(session)
            except (AmiLostError, AmiUnavailableError) as error:
                reason = str(error.fields["reason"])
                raise
            finally:
                self._session = None
                session.end(reason)
                for hook in self._lost_hooks:
                    hook(session.ended.result())

    def _current(self) -> AmiSession:
        if self._session is None:
            raise AmiUnavailableError(reason="there is no session")
        return self._session

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AmiSession]:
        options = self._options
        session = AmiSession(self._clock, self._dispatch, self._tell_gap)
        loop = asyncio.get_running_loop()
        try:
            try:
                async with self._clock.timeout(options.login_timeout_s):
                    await loop.create_connection(lambda: session, options.host, options.port)
                    await session.greeting()
            except TimeoutError as error:
                raise AmiUnavailableError(reason=f"no greeting within {options.login_timeout_s} s") from error
            except OSError as error:
                raise AmiUnavailableError(reason=str(error)) from error
            yield session
        finally:
            session.end("the gateway closed it")

    async def _log_in(self, session: AmiSession, secret: str) -> None:
        deadline_s = self._options.login_timeout_s
        self._booted.clear()
        # Only "system" at first, which brings FullyBooted: the flood begins when the filters stand.
        login = {"Username": self._options.user, "Events": "system"}
        try:
            if self._options.challenge:
                answer, _ = await session.action("Challenge", {"AuthType": "MD5"}, deadline_s=deadline_s)
                text = answer.get("Challenge") + secret
                key = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()  # Asterisk knows no other digest
                login |= {"AuthType": "MD5", "Key": key}
            else:
                login |= {"Secret": secret}
            await session.action("Login", login, deadline_s=deadline_s)
        except AmiRefusedError as error:
            raise AmiLoginError(user=self._options.user, reason=error.fields["reason"]) from error
        await self._filter(session)
        await session.action("Events", {"EventMask": "on"}, deadline_s=deadline_s)

    async def _filter(self, session: AmiSession) -> None:
        self._filtered = None
        if self._every:
            return
        names = frozenset(self._handlers)
        try:
            # From the first filter on nothing else passes, and FullyBooted comes once: it must not be shut out.
            for name in (*_OWN_EVENTS, *sorted(names.difference(_OWN_EVENTS))):
                headers = {"Operation": "Add", "MatchCriteria": f"action(include),name({name})"}
                await session.action("Filter", headers, deadline_s=self._options.login_timeout_s)
        except AmiRefusedError as error:  # works all the same, only with more to read
            log.warning("asterisk does not filter events", reason=error.fields["reason"])
        self._filtered = names

    async def _boot(self, session: AmiSession) -> None:
        booted: asyncio.Future[Any] = asyncio.create_task(self._booted.wait(), name="ami-boot")
        try:
            async with self._clock.timeout(self._options.boot_timeout_s):
                await asyncio.wait([booted, session.ended], return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError as error:
            raise AmiUnavailableError(reason=f"not booted within {self._options.boot_timeout_s} s") from error
        finally:
            booted.cancel()
        _raise_if_ended(session)

    async def _adopt(self, session: AmiSession) -> None:
        try:
            async with self._clock.timeout(self._options.adopt_timeout_s):
                for hook in self._session_hooks:
                    await hook()
        except TimeoutError as error:
            raise AmiUnavailableError(
                reason=f"live calls were not taken over within {self._options.adopt_timeout_s} s"
            ) from error
        _raise_if_ended(session)

    async def _keep_alive(self, session: AmiSession) -> None:
        while True:
            rest: asyncio.Future[Any] = asyncio.create_task(
                self._clock.sleep(self._options.ping_interval_s), name="ami-ping-rest"
            )
            try:
                await asyncio.wait([rest, session.ended], return_when=asyncio.FIRST_COMPLETED)
            finally:
                rest.cancel()
            _raise_if_ended(session)
            try:
                await session.action("Ping", {}, deadline_s=self._options.ping_timeout_s)
            except AmiDeadlineError as error:
                raise AmiUnavailableError(reason="it does not answer a ping") from error

    def _on_shutdown(self, message: AmiMessage) -> None:
        log.warning("asterisk shuts down", restart=message.get("Restart"), kind=message.get("Shutdown"))

    def _dispatch(self, message: AmiMessage) -> None:
        handlers = self._handlers.get(message.event)
        if handlers:
            for handler in tuple(handlers):
                self._call(handler, message)
        for handler in self._every:
            self._call(handler, message)

    def _call(self, handler: Handler, message: AmiMessage) -> None:
        try:
            handler(message)
        except Exception:  # supervises the handlers: one that fails must not deafen the others
            log.exception("event handler failed", ami_event=message.event)
            self._tell_gap(f"a handler of {message.event} failed")

    def _tell_gap(self, reason: str) -> None:
        for hook in self._gap_hooks:
            hook(reason)


def _raise_if_ended(session: AmiSession) -> None:
    if session.ended.done():
        raise AmiUnavailableError(reason=session.ended.result())
