"""The kinds of radios there are: every module under ``trunks/radio/drivers`` that holds a ``KIND``."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.core.clock import Clock
from gateway.core.errors import NotFoundError
from gateway.core.options import Options
from gateway.core.text import Text
from trunks.radio import drivers
from trunks.radio.driver import Capability, RadioDriver


@dataclass(frozen=True, slots=True)
class DriverKind:
    """A kind of radio: its name in the configuration, its options, what it can do at most, and how it is made."""

    name: str
    title: Text
    options: type[Options]
    capabilities: frozenset[Capability]
    build: Callable[[str, Any, Clock], RadioDriver]
    """From the resource's name (``radio-1``), an instance of ``options`` and the clock."""


def kinds() -> dict[str, DriverKind]:
    """Return every kind by name, sorted. A module without ``KIND`` is a programming error."""
    found: dict[str, DriverKind] = {}
    for module in pkgutil.iter_modules(drivers.__path__):
        kind: DriverKind = importlib.import_module(f"{drivers.__name__}.{module.name}").KIND
        found[kind.name] = kind
    return dict(sorted(found.items()))


def kind(name: str) -> DriverKind:
    """Return the kind *name*; raise :class:`NotFoundError` when there is none."""
    known = kinds()
    if name not in known:
        raise NotFoundError(what="kind of radio", name=name)
    return known[name]
