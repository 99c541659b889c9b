"""The topics of a site: built and read in one place, every level checked.

Every level is minted by the gateway or an application's registered name, ``[a-z0-9_-]{1,32}``. One is a caller's
choice, the command id below the caller's own ``res/{app}/``: ``[A-Za-z0-9_-]{1,64}``. Nothing personal stands in a
topic.
"""

import enum
import re
from dataclasses import dataclass

from gateway.core.errors import InvalidInputError
from gateway.core.events import DOMAINS
from gateway.core.ids import is_level

ROOT = "gw/v1"
STATE_DOMAINS = frozenset(DOMAINS)
_COMMAND_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class TopicKind(enum.Enum):
    """What is told on a topic."""

    STATE = "state"
    LEASE = "lease"
    INFO = "info"
    CATALOG = "catalog"
    HEALTH = "health"
    RESOURCE_STATE = "resource_state"
    EVENT = "event"
    COMMAND = "cmd"
    RESULT = "res"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic taken apart. Levels that its kind does not have are empty.

    ``name`` is the event's name, the verb or the command id.
    """

    kind: TopicKind
    domain: str = ""
    resource: str = ""
    name: str = ""
    app: str = ""
    sensitive: bool = False


class Topics:
    """The topics under ``gw/v1/{site}``."""

    def __init__(self, site: str) -> None:
        self.site = _level(site, "site")
        self.prefix = f"{ROOT}/{self.site}"
        self.state = f"{self.prefix}/state"
        self.lease = f"{self.prefix}/lease"
        self.info = f"{self.prefix}/info"
        self.catalog = f"{self.prefix}/catalog"
        self.health = f"{self.prefix}/health"
        self.commands = f"{self.prefix}/cmd/+/+/+"
        self.barrier = f"{self.prefix}/barrier"  # the gateway's own, to know that all retained messages have come
        self.own = f"{self.prefix}/+"
        self.retained = (self.own, f"{self.prefix}/+/+/state")
        self.retained_commands = f"{self.prefix}/cmd/#"  # never wanted, but looked for

    def resource_state(self, domain: str, resource: str) -> str:
        """Return ``…/{domain}/{resource}/state``, retained."""
        return f"{self.prefix}/{_domain(domain)}/{_level(resource, 'resource')}/state"

    def event(self, domain: str, resource: str, name: str, *, sensitive: bool = False) -> str:
        """Return ``…/{domain}/{resource}/evt/{name}``, or its ``/sensitive`` subtree."""
        topic = f"{self.prefix}/{_domain(domain)}/{_level(resource, 'resource')}/evt/{_level(name, 'event')}"
        return f"{topic}/sensitive" if sensitive else topic

    def command(self, app: str, domain: str, verb: str) -> str:
        """Return ``…/cmd/{app}/{domain}/{verb}``."""
        return f"{self.prefix}/cmd/{_level(app, 'app')}/{_domain(domain)}/{_level(verb, 'verb')}"

    def results_of(self, app: str) -> str:
        """Return ``…/res/{app}/``, the only prefix under which an application is answered."""
        return f"{self.prefix}/res/{_level(app, 'app')}/"

    def result(self, app: str, command_id: str) -> str:
        """Return ``…/res/{app}/{command id}``."""
        if _COMMAND_ID.fullmatch(command_id) is None:
            raise InvalidInputError(field="command id", reason="must be 1 to 64 letters, digits, _ and -")
        return self.results_of(app) + command_id

    def replay(self, app: str) -> str:
        """Return ``…/replay/{app}``."""
        return f"{self.prefix}/replay/{_level(app, 'app')}"

    def probe(self, name: str, what: str) -> str:
        """Return ``…/probe/{name}/{what}``: where the gateway tries the broker out, and nobody else has a right."""
        return f"{self.prefix}/probe/{_level(name, 'probe')}/{_level(what, 'probe')}"

    def parse(self, topic: str) -> Topic | None:  # noqa: PLR0911  # one return for each form
        """Take *topic* apart; ``None`` when it is none of this site's."""
        if not topic.startswith(self.prefix + "/"):
            return None
        levels = topic[len(self.prefix) + 1 :].split("/")
        match levels:
            case ["res", app, command_id] if is_level(app) and _COMMAND_ID.fullmatch(command_id) is not None:
                return Topic(TopicKind.RESULT, name=command_id, app=app)
        if not all(is_level(level) for level in levels):
            return None
        match levels:
            case ["state" | "lease" | "info" | "catalog" | "health" as own]:
                return Topic(TopicKind(own))
            case ["cmd", app, domain, verb] if domain in STATE_DOMAINS:
                return Topic(TopicKind.COMMAND, domain=domain, name=verb, app=app)
            case ["replay", app]:
                return Topic(TopicKind.REPLAY, app=app)
            case [domain, resource, "state"] if domain in STATE_DOMAINS:
                return Topic(TopicKind.RESOURCE_STATE, domain=domain, resource=resource)
            case [domain, resource, "evt", name] if domain in STATE_DOMAINS:
                return Topic(TopicKind.EVENT, domain=domain, resource=resource, name=name)
            case [domain, resource, "evt", name, "sensitive"] if domain in STATE_DOMAINS:
                return Topic(TopicKind.EVENT, domain=domain, resource=resource, name=name, sensitive=True)
            case _:
                return None

    def is_answer_of(self, topic: str, app: str) -> bool:
        """Tell whether *topic* may be answered on for *app*: strictly below its own ``res/{app}/``, no wildcards."""
        prefix = self.results_of(app)
        rest = topic.removeprefix(prefix)
        return (
            topic.startswith(prefix)
            and len(topic) <= 256
            and all(_COMMAND_ID.fullmatch(level) is not None for level in rest.split("/"))
        )


def matches(pattern: str, topic: str) -> bool:
    """Tell whether *topic* is matched by the filter *pattern* (MQTT 5, clause 4.7).

    A topic that begins with ``$`` is matched by a literal first level only.
    """
    if topic.startswith("$") and pattern[:1] in "+#":
        return False
    wanted = pattern.split("/")
    given = topic.split("/")
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index >= len(given) or level not in ("+", given[index]):
            return False
    return len(wanted) == len(given)


def _level(text: str, what: str) -> str:
    if not is_level(text):
        raise InvalidInputError(field=what, reason="must be 1 to 32 of a-z, 0-9, _ and -")
    return text


def _domain(text: str) -> str:
    if text not in STATE_DOMAINS:
        raise InvalidInputError(field="domain", reason=f"must be one of {', '.join(DOMAINS)}")
    return text
