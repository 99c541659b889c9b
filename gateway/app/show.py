"""Events and status as a person reads them on a terminal."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

_LONGEST = 60
_LONGEST_ANSWER = 10_000
_SIGNS = {"READY": "●", "DEGRADED": "▲", "CONFIG_ERROR": "✖", "STARTING": "…", "DISABLED": "○", "STOPPED": "■"}


def event_line(event: Mapping[str, Any]) -> str:
    """Return one event on one line: time, number, resource, what, and its plain fields."""
    domain, name, _ = str(event["type"]).split(".")
    resource = str(event["source"]).rsplit("/", 1)[-1]
    recovered = " (recovered)" if event.get("recovered") else ""
    fields = " ".join(f"{key}={_value(value)}" for key, value in _plain(event.get("data") or {}))
    return f"{_clock(event['time'])} #{event['gwseq']:<5} {resource:<16} {domain}.{name}{recovered}  {fields}".rstrip()


def status_lines(status: Mapping[str, Any]) -> Iterable[str]:
    """Yield the status document as lines."""
    yield f"site {status['site']}  {status['state']}  epoch {status['epoch']}  events {status['last_seq']}"
    for adapter in status["adapters"]:
        reason = f"  {adapter['reason']}" if adapter["reason"] else ""
        restarts = f"  restarts {adapter['restarts']}" if adapter["restarts"] else ""
        sign = _SIGNS.get(adapter["state"], "?")
        yield f"{sign} {adapter['name']:<16} {adapter['state']:<12} since {_clock(adapter['since'])}{restarts}{reason}"


def fields_line(item: Mapping[str, Any]) -> str:
    """Return the fields of an object that are not empty, on one line."""
    return "  ".join(f"{key}={_value(plain(value), longest=_LONGEST_ANSWER)}" for key, value in _plain(item))


def plain(value: Any) -> str:
    """Return one value of an answer; an object in a list as its values: ``tel.*@line-1``."""
    if isinstance(value, list):
        return ", ".join(plain(one) for one in value) or "none"
    if isinstance(value, dict):
        return "@".join(plain(one) for one in value.values())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _clock(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%H:%M:%S.%f")[:-3]


def _plain(data: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _plain(value, f"{prefix}{key}.")
        elif value not in (None, "", [], {}):
            yield f"{prefix}{key}", value


def _value(value: Any, *, longest: int = _LONGEST) -> str:
    text = str(value).replace("\n", " ")
    # What callers send may hold control characters, which a terminal would obey.
    text = "".join(letter if letter.isprintable() else "�" for letter in text)
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return f'"{text}"' if " " in text else text
