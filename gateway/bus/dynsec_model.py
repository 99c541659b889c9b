"""What the dynamic-security plugin knows: clients, roles and access rules, as plain values (mosquitto 2.0)."""

import fnmatch
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from gateway.bus.topics import Topics
from gateway.core.events import DOMAINS
from gateway.principals.model import Principal

AclType = Literal[
    "publishClientSend",
    "publishClientReceive",
    "subscribeLiteral",
    "subscribePattern",
    "unsubscribeLiteral",
    "unsubscribePattern",
]
_DENY_FOREIGN = 10
_ALLOW_OWN = 20
APPLICATION_ROLE_PREFIX = "app-"


@dataclass(frozen=True, slots=True)
class Acl:
    """One rule. Of the rules that match, the one with the highest priority decides."""

    acltype: AclType
    topic: str
    allow: bool = True
    priority: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the rule as the plugin writes it."""
        return {"acltype": self.acltype, "topic": self.topic, "priority": self.priority, "allow": self.allow}


@dataclass(frozen=True, slots=True)
class RoleEntry:
    """A named set of rules."""

    rolename: str
    acls: tuple[Acl, ...]

    def acls_as_tuples(self) -> frozenset[tuple[str, str, bool, int]]:
        """Return the rules as a set, in which their order does not count."""
        return frozenset((acl.acltype, acl.topic, acl.allow, acl.priority) for acl in self.acls)

    def as_json(self) -> dict[str, Any]:
        """Return the role as the plugin writes it."""
        return {"rolename": self.rolename, "acls": [acl.as_json() for acl in self.acls]}


@dataclass(frozen=True, slots=True)
class PasswordDigest:
    """PBKDF2-HMAC-SHA512 of a password, base 64; what the store keeps of an application's password at the broker."""

    digest: str
    salt: str
    iterations: int

    @property
    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that tell two credentials apart and tell nothing of the password."""
        return hashlib.sha256(f"{self.salt}:{self.digest}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class ClientEntry:
    """A user at the broker."""

    username: str
    roles: tuple[str, ...]
    password: PasswordDigest

    def as_file_entry(self) -> dict[str, Any]:
        """Return the client as it stands in dynamic-security.json."""
        return {
            "username": self.username,
            "textdescription": credential_note(self.password),
            "roles": [{"rolename": role} for role in self.roles],
            "password": self.password.digest,
            "salt": self.password.salt,
            "iterations": self.password.iterations,
        }


def credential_note(password: PasswordDigest) -> str:
    """Return what is noted at a client, so that it can be told which credential the broker holds."""
    return f"credential {password.fingerprint}"


def sensitive_right(domain: str) -> str:
    """Return the right that a reader of a domain's ``…/sensitive`` events needs."""
    return f"sensitive.{domain}"


def application_role(site: str, application: Principal, commands: Iterable[str]) -> RoleEntry:
    """Return what *application* may do at the broker: its own commands and answers, and reading what is told.

    *commands* are the names of all commands (``tel.dial``). A right on some resources only cannot be expressed in
    topics; the dispatcher checks it.
    """
    topics = Topics(site)
    name = application.name
    prefix = topics.prefix
    reads = [topics.state, topics.lease, topics.info, topics.catalog, topics.health]
    for domain in DOMAINS:
        reads += [f"{prefix}/{domain}/+/state", f"{prefix}/{domain}/+/evt/+"]
        if application.may(sensitive_right(domain)):
            reads.append(f"{prefix}/{domain}/+/evt/+/sensitive")
    own = [f"{topics.results_of(name)}#", topics.replay(name)]
    # Two patterns, so that one subscription may cover all domains; what is received is still ruled one by one.
    wide = [f"{prefix}/+/+/state", f"{prefix}/+/+/evt/#", *(f"{prefix}/{domain}/#" for domain in DOMAINS)]
    verbs = sorted(
        command for command in commands if any(fnmatch.fnmatchcase(command, right.verb) for right in application.rights)
    )
    acls = [
        *(Acl("subscribePattern", topic) for topic in (*reads[:5], *wide, *own)),
        *(Acl("publishClientReceive", topic) for topic in reads),
        *(Acl("publishClientReceive", topic, priority=_ALLOW_OWN) for topic in own),
        *(
            Acl("publishClientReceive", f"{prefix}/{tree}/#", allow=False, priority=_DENY_FOREIGN)
            for tree in ("res", "replay", "cmd")
        ),
        *(Acl("publishClientSend", topics.command(name, *verb.split(".", 1))) for verb in verbs),
        Acl("unsubscribePattern", "#"),
    ]
    return RoleEntry(rolename=APPLICATION_ROLE_PREFIX + name, acls=tuple(acls))
