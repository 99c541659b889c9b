"""Applications at the private broker: each has its own credential and only the rights that the store says.

How a password gets there: it exists in plain text only in the moment in which it is issued. Then its PBKDF2 digest, in
the form that mosquitto compares with, is written to the store, and the password is told to the running broker. The
plugin of mosquitto 2.0 takes no digest over its control topic. While the broker is away the daemon therefore keeps the
password, in its memory alone, until :meth:`BrokerSecurity.reconcile` could tell it; after a restart of the daemon, or
without one, the broker gets the digest from the file that is written before its start
(:func:`gateway.bus.broker.initial_security`). Adding an application with daemon and broker down therefore works; adding
one with only the broker up makes it wait for the next start of the broker or the next ``apps rotate``, and
:meth:`BrokerSecurity.reconcile` tells so.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import msgspec
import structlog

from gateway.bus.broker import ADMIN_USER, GATEWAY_USER, digest_password
from gateway.bus.dynsec_model import (
    APPLICATION_ROLE_PREFIX,
    ClientEntry,
    PasswordDigest,
    RoleEntry,
    application_role,
    credential_note,
)
from gateway.bus.port import BusConnection, BusDeniedError, BusError, BusPort, Delivery, Login, Publication, is_good
from gateway.core.errors import DeadlineError, Kind, TrunklineError
from gateway.core.ids import new_id
from gateway.core.text import Text
from gateway.principals.model import Principal

log = structlog.get_logger(__name__)

CONTROL = "$CONTROL/dynamic-security/v1"
RESPONSES = f"{CONTROL}/response"
_MOST_OWED = 256  # passwords that are kept in memory; beyond it the oldest wait for the broker's next start


class BrokerSecurityError(BusError):
    """The broker's security plugin refused a change."""

    code = "bus.security"
    kind = Kind.FAILED
    cause: ClassVar[Text] = Text("The broker refused {command}: {reason}.", "消息代理拒绝了 {command}：{reason}。")
    action: ClassVar[Text] = Text(
        "Restart the private broker; its rights are then written anew.", "请重启内置消息代理，权限会重新写入。"
    )


class CredentialKeeper(Protocol):
    """Where the digests of the applications' passwords are kept (:mod:`gateway.bus.repository`)."""

    async def keep(self, name: str, password: PasswordDigest) -> None:
        """Keep the digest of an application's password in place of the former one."""
        ...

    async def forget(self, name: str) -> None:
        """Delete it."""
        ...

    async def all(self) -> Mapping[str, PasswordDigest]:
        """Return all digests by name of application."""
        ...


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was made right at the broker. ``waiting`` have a password that only a restart of the broker brings in."""

    removed: tuple[str, ...]
    changed: tuple[str, ...]
    waiting: tuple[str, ...]


def file_entries(
    site: str, applications: Iterable[Principal], digests: Mapping[str, PasswordDigest], commands: Sequence[str]
) -> tuple[list[ClientEntry], list[RoleEntry]]:
    """Return what dynamic-security.json has to hold for *applications*; one without a digest cannot connect."""
    clients = []
    roles = []
    for application in applications:
        roles.append(application_role(site, application, commands))
        digest = digests.get(application.name)
        if digest is not None:
            clients.append(ClientEntry(application.name, (roles[-1].rolename,), digest))
    return clients, roles


class DynsecClient:
    """The control topic of the plugin: a list of commands out, a list of answers in. One request at a time."""

    def __init__(self, connection: BusConnection, answers: "asyncio.Queue[bytes]", deadline_s: float) -> None:
        self._connection = connection
        self._answers = answers
        self._deadline_s = deadline_s

    @staticmethod
    @asynccontextmanager
    async def connect(port: BusPort, password: str, site: str, deadline_s: float) -> AsyncIterator["DynsecClient"]:
        """Connect as the administrator for as long as the context lasts."""
        answers: asyncio.Queue[bytes] = asyncio.Queue(maxsize=64)

        async def handler(delivery: Delivery) -> None:
            await answers.put(delivery.payload)

        login = Login(f"trunkline-{site}-admin-{new_id()}", ADMIN_USER, password, clean_start=True)
        async with port.connect(login, handler) as connection:
            reason = await connection.subscribe(RESPONSES, no_local=False)
            if not is_good(reason):
                raise BusDeniedError(what=f"subscribing to {RESPONSES}", reason=reason)
            yield DynsecClient(connection, answers, deadline_s)

    async def ask(self, *commands: dict[str, Any], ignore: Iterable[str] = ()) -> list[dict[str, Any]]:
        """Send *commands* and return the data of each answer; raise :class:`BrokerSecurityError` on the first error.

        *ignore* are error texts that mean that there is nothing to do ("Client not found").
        """
        ignored = frozenset(ignore)
        return [await self._ask_one(command, ignored) for command in commands]

    async def _ask_one(self, command: dict[str, Any], ignore: frozenset[str]) -> dict[str, Any]:
        payload = msgspec.json.encode({"commands": [command]})
        reason = await self._connection.publish(Publication(CONTROL, payload))
        if not is_good(reason):
            raise BusDeniedError(what=CONTROL, reason=reason)
        try:
            async with asyncio.timeout(self._deadline_s):
                answer = await self._answers.get()
        except TimeoutError as error:
            raise DeadlineError(what="the broker's security plugin", timeout_s=self._deadline_s) from error
        response: dict[str, Any] = msgspec.json.decode(answer)["responses"][0]
        problem = response.get("error")
        if problem is not None and problem not in ignore:
            raise BrokerSecurityError(command=command["command"], reason=problem)
        data: dict[str, Any] = response.get("data", {})
        return data


class BrokerSecurity:
    """Keeps the broker's clients and roles equal to the applications of the store.

    ``granted`` and ``revoked`` are called after the change is durable. ``port`` is ``None`` where no broker is to be
    told (the command line without a daemon): then only the digests are kept.
    """

    def __init__(
        self,
        site: str,
        credentials: CredentialKeeper,
        *,
        commands: Callable[[], Sequence[str]],
        port: BusPort | None = None,
        admin_password: str = "",
        deadline_s: float = 10.0,
    ) -> None:
        self._site = site
        self._credentials = credentials
        self._commands = commands
        self._port = port
        self._admin_password = admin_password
        self._deadline_s = deadline_s
        self._one_at_a_time = asyncio.Lock()
        self._owed: dict[str, str] = {}
        self.behind = asyncio.Event()
        """Set while the broker could not be told of a change; :meth:`reconcile` makes up for it."""

    async def granted(self, application: Principal, secret: str) -> bool:
        """*application* has a new secret: keep its digest, and tell the broker; return whether it took it."""
        digest = await asyncio.to_thread(digest_password, secret)
        await self._credentials.keep(application.name, digest)
        if self._port is None:
            return False
        self._owed.pop(application.name, None)
        self._owed[application.name] = secret
        while len(self._owed) > _MOST_OWED:
            del self._owed[next(iter(self._owed))]
        try:
            async with self._one_at_a_time, self._client(self._port) as client:
                await self._put_role(client, application_role(self._site, application, self._commands()))
                await self._put_client(client, application.name, secret, digest)
        except (BusError, DeadlineError) as error:
            return self._fallen_behind(error)
        return True

    async def revoked(self, name: str) -> bool:
        """The application may not connect any more; the plugin disconnects it at once. Return whether it did."""
        await self._credentials.forget(name)
        self._owed.pop(name, None)
        if self._port is None:
            return False
        try:
            async with self._one_at_a_time, self._client(self._port) as client:
                await self._remove(client, name)
        except (BusError, DeadlineError) as error:
            return self._fallen_behind(error)
        return True

    async def reconcile(self, applications: Sequence[Principal]) -> Reconciled:
        """Make the running broker equal to *applications*; called at each connection, and when it fell behind."""
        if self._port is None:
            return Reconciled((), (), ())
        self.behind.clear()
        digests = await self._credentials.all()
        wanted = {application.name: application for application in applications}
        async with self._one_at_a_time, self._client(self._port) as client:
            (listed,) = await client.ask({"command": "listClients", "verbose": True, "count": -1, "offset": 0})
            present = {one["username"]: one for one in listed.get("clients", [])}
            removed = sorted(name for name in present if name not in {*wanted, GATEWAY_USER, ADMIN_USER})
            for name in removed:
                await self._remove(client, name)
            (listed,) = await client.ask({"command": "listRoles", "verbose": True, "count": -1, "offset": 0})
            roles = {one["rolename"]: one for one in listed.get("roles", [])}
            changed = []
            waiting = []
            for name, application in sorted(wanted.items()):
                role = application_role(self._site, application, self._commands())
                if _rules(roles.get(role.rolename)) != role.acls_as_tuples():
                    await self._put_role(client, role)
                    changed.append(name)
                digest = digests.get(name)
                note = present.get(name, {}).get("textdescription", "")
                if digest is not None and note == credential_note(digest):
                    continue
                secret = self._owed.get(name)
                if digest is None or secret is None:
                    waiting.append(name)
                    continue
                await self._put_client(client, name, secret, digest)
                if name not in changed:
                    changed.append(name)
        if waiting:
            log.warning("applications wait for the broker's next start, or rotate them", applications=waiting)
        return Reconciled(tuple(removed), tuple(changed), tuple(waiting))

    def _fallen_behind(self, error: TrunklineError) -> bool:
        log.warning("the broker could not be told of a credential, it follows", reason=error.title())
        self.behind.set()
        return False

    async def _put_client(self, client: DynsecClient, name: str, secret: str, digest: PasswordDigest) -> None:
        await client.ask({"command": "deleteClient", "username": name}, ignore=("Client not found",))
        await client.ask(
            {
                "command": "createClient",
                "username": name,
                "password": secret,
                "textdescription": credential_note(digest),
                "roles": [{"rolename": APPLICATION_ROLE_PREFIX + name}],
            }
        )
        if self._owed.get(name) == secret:
            del self._owed[name]

    def _client(self, port: BusPort) -> AbstractAsyncContextManager[DynsecClient]:
        return DynsecClient.connect(port, self._admin_password, self._site, self._deadline_s)

    async def _put_role(self, client: DynsecClient, role: RoleEntry) -> None:
        entry = role.as_json()
        try:
            await client.ask({"command": "createRole", **entry})
        except BrokerSecurityError as error:
            if error.fields["reason"] != "Role already exists":
                raise
            await client.ask({"command": "modifyRole", **entry})

    async def _remove(self, client: DynsecClient, name: str) -> None:
        await client.ask({"command": "deleteClient", "username": name}, ignore=("Client not found",))
        await client.ask(
            {"command": "deleteRole", "rolename": APPLICATION_ROLE_PREFIX + name}, ignore=("Role not found",)
        )


def _rules(role: dict[str, Any] | None) -> frozenset[tuple[str, str, bool, int]]:
    if role is None:
        return frozenset()
    return frozenset((one["acltype"], one["topic"], one["allow"], one.get("priority", 0)) for one in role["acls"])
