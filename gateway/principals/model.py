"""Principals and their rights, as plain values."""

import enum
import fnmatch
from dataclasses import dataclass, field

from gateway.core.errors import Kind, TrunklineError
from gateway.core.text import Text


class NotPermittedError(TrunklineError):
    """The principal has no right to do this."""

    code = "auth.not_permitted"
    kind = Kind.REFUSED
    cause = Text("{principal} may not {verb} on {resource}.", "{principal} 无权对 {resource} 执行 {verb}。")
    action = Text("Ask an administrator for a role that includes it.", "请管理员授予包含此权限的角色。")


class PrincipalKind(enum.StrEnum):
    """What sort of principal it is."""

    OPERATOR = "operator"
    APPLICATION = "application"
    LOCAL = "local"  # a person at the machine's own command line, known by user id
    SYSTEM = "system"  # the gateway itself: a rule, a time-out, a recovery


@dataclass(frozen=True, slots=True)
class Right:
    """Permission for verbs on resources, both as shell patterns: ``Right("tel.*", "line-*")``."""

    verb: str
    resource: str = "*"

    def covers(self, verb: str, resource: str) -> bool:
        """Tell whether this right permits *verb* on *resource*."""
        return fnmatch.fnmatchcase(verb, self.verb) and fnmatch.fnmatchcase(resource, self.resource)


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who acts. ``name`` is unique within its kind and fit for a topic level."""

    kind: PrincipalKind
    name: str
    rights: tuple[Right, ...] = field(default=())
    display_name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    def may(self, verb: str, resource: str = "*") -> bool:
        """Tell whether any of its rights permits *verb* on *resource*."""
        return any(right.covers(verb, resource) for right in self.rights)

    def require(self, verb: str, resource: str = "*") -> None:
        """Raise :class:`NotPermittedError` unless *verb* on *resource* is permitted."""
        if not self.may(verb, resource):
            raise NotPermittedError(principal=str(self), verb=verb, resource=resource)


SYSTEM = Principal(PrincipalKind.SYSTEM, "gateway", (Right("*"),))
