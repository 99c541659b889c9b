"""The roles of a duty room and what each may do when nothing else is set."""

from dataclasses import dataclass

from gateway.core.text import Text
from gateway.principals.model import Right

ADMINISTRATOR = "administrator"

_OF_WATCH = ("tel", "radio", "sms", "fax", "rec", "dir", "ops")


@dataclass(frozen=True, slots=True)
class Role:
    """A named set of rights. Looking at things is a verb too: ``<domain>.read`` or ``<domain>.<thing>_read``."""

    name: str
    title: Text
    rights: tuple[Right, ...]


def _reading() -> tuple[Right, ...]:
    looking = tuple(Right(f"{domain}.{verb}") for domain in _OF_WATCH for verb in ("read", "*_read"))
    return (*looking, Right("dir.search"), Right("dir.lookup"), Right("sys.read"))


def _all_of(*domains: str) -> tuple[Right, ...]:
    return tuple(Right(f"{domain}.*") for domain in domains)


_OWN_PASSWORD = (Right("sys.password_change"),)

DEFAULT_ROLES = (
    Role("observer", Text("Observer", "观察员"), _reading() + _OWN_PASSWORD),
    Role("operator", Text("Operator", "接警员"), _reading() + _all_of("tel", "sms", "fax", "ops") + _OWN_PASSWORD),
    Role(
        "dispatcher",
        Text("Dispatcher", "调度员"),
        _reading() + _all_of("tel", "radio", "sms", "fax", "ops") + _OWN_PASSWORD,
    ),
    Role("supervisor", Text("Supervisor", "值班长"), (*_all_of(*_OF_WATCH), Right("sys.audit_read"), *_OWN_PASSWORD)),
    Role(ADMINISTRATOR, Text("Administrator", "系统管理员"), (Right("*"),)),
)
