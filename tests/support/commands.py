"""A dispatcher with a few commands, for tests."""

import asyncio
import json
from collections import Counter
from datetime import datetime, timedelta

from gateway.commands.dispatcher import CommandDispatcher
from gateway.commands.options import CommandOptions
from gateway.commands.registry import CommandRegistry
from gateway.commands.spec import BoundCommand, CommandSpec
from gateway.core.clock import ManualClock
from gateway.core.errors import ConflictError, DeadlineError, NotFoundError
from gateway.core.events import Message
from gateway.core.text import Text
from gateway.principals.audit import AuditTrail
from gateway.principals.model import Principal, PrincipalKind, Right
from tests.support.memory_store import MemoryStore

APP = Principal(PrincipalKind.APPLICATION, "cad", (Right("tel.*"), Right("sys.*")), "调度台")
STRANGER = Principal(PrincipalKind.APPLICATION, "guest", (Right("tel.dial", "line-8"),))


class Dial(Message, frozen=True, kw_only=True):
    number: str = "110"
    line: str = "line-1"
    how: str = "well"


class Dialled(Message, frozen=True, kw_only=True):
    call: str
    note: str = "单雄信"


class Key(Message, frozen=True, kw_only=True):
    name: str
    password: str = ""


class Issued(Message, frozen=True, kw_only=True):
    name: str
    secret: str | None = None


DIAL = CommandSpec(
    name="tel.dial",
    body=Dial,
    result=Dialled,
    summary=Text("Dial.", "拨号。"),
    resource=lambda body: body.line,
    max_ttl_s=10.0,
    default_ttl_s=5.0,
)
ISSUE = CommandSpec(
    name="sys.issue", body=Key, result=Issued, summary=Text("Issue.", "签发。"), secrets=("secret", "password")
)


class Principals:
    """Resolves the two applications of the tests."""

    def __init__(self, *known: Principal) -> None:
        self.known = {principal.name: principal for principal in (known or (APP, STRANGER))}

    async def principal(self, kind, name):
        if name not in self.known:
            raise NotFoundError(what="principal", name=name)
        return self.known[name]


class Exchange:
    """What the commands act on: counts each side effect by command id."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.effects: Counter[str] = Counter()
        self.began: asyncio.Event = asyncio.Event()
        self.go: asyncio.Event = asyncio.Event()
        self.pause = lambda: asyncio.sleep(0)

    async def dial(self, body: Dial, context) -> Dialled:
        if body.how == "refused":
            raise ConflictError(what=body.line, reason="busy")
        if body.how == "crash_before":
            raise ZeroDivisionError("secret inside")
        if body.how == "slow_before":
            await self.clock.sleep(3600)
        if body.how == "hold":
            await self.go.wait()
        await context.begin_side_effect()
        self.effects[f"{context.principal.name}/{context.command_id}"] += 1
        self.began.set()
        await self.pause()
        if body.how == "slow":
            await self.clock.sleep(3600)
        if body.how == "wait":
            await self.go.wait()
        if body.how == "no_answer":
            raise DeadlineError(what="Asterisk", timeout_s=5)
        if body.how == "crash":
            raise ZeroDivisionError("secret inside")
        return Dialled(call=f"call-{context.command_id}")

    async def issue(self, body: Key, context) -> Issued:
        await context.begin_side_effect()
        self.effects[f"{context.principal.name}/{context.command_id}"] += 1
        return Issued(name=body.name, secret="hunter2-hunter2")


class Desk:
    """A dispatcher on a memory store with a clock that is moved by hand; `restart` begins a new life."""

    def __init__(self, clock: ManualClock, store: MemoryStore, **options) -> None:
        self.clock = clock
        self.store = store
        self.options = CommandOptions(**options)
        self.exchange = Exchange(clock)
        self.audit = AuditTrail(store)
        self.principals = Principals()
        self.notes = []
        self.dispatcher = self._new()

    def _new(self) -> CommandDispatcher:
        registry = CommandRegistry([BoundCommand(DIAL, self.exchange.dial), BoundCommand(ISSUE, self.exchange.issue)])
        dispatcher = CommandDispatcher(
            self.store, self.clock, self.options, registry, self.audit, principals=self.principals
        )
        dispatcher.on_answer(self.notes.append)
        return dispatcher

    async def kill(self) -> None:
        """End everything as SIGKILL does: nothing more is written."""
        self.store.plan.at = 0
        ours = [
            task
            for task in asyncio.all_tasks()
            if task.get_name().startswith(("command:", "run:", "accept:", "refuse:"))
        ]
        for task in ours:
            task.cancel()
        await asyncio.gather(*ours, return_exceptions=True)
        self.store.crash()
        self.dispatcher = self._new()

    async def audit_of(self, command_id: str) -> list[str]:
        rows = await self.audit.query(limit=1000)
        return [row.outcome for row in reversed(rows) if row.details.get("command") == command_id]


def envelope(clock: ManualClock, command_id: str = "c-1", *, ttl_s: float = 5.0, data=None, **more) -> bytes:
    at: datetime = clock.wall() + timedelta(seconds=ttl_s)
    body = {"id": command_id, "expires_at": at.isoformat(), "data": {} if data is None else data, **more}
    return json.dumps(body, ensure_ascii=False).encode()
