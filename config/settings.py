"""Settings: one TOML file, then ``conf.d/*.toml`` beside it in the order of their names, then the environment.

A later source wins, table by table and key by key; a list is replaced as a whole. In the environment a setting is named
``TRUNKLINE_<SECTION>__<KEY>`` (``TRUNKLINE_WEB__PORT=8081``, ``TRUNKLINE_ASTERISK__AMI__PORT=5039``), its value read as
TOML and, failing that, as a string.
Unknown keys are errors with a suggestion, and all problems are told at once.
"""

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from gateway.core.options import Options, SettingsError
from gateway.core.text import Language, Text

ENVIRONMENT_PREFIX = "TRUNKLINE_"

O = TypeVar("O", bound=Options)  # noqa: E741  # the letter stands for Options and is used in signatures only


class UnreadableFileError(SettingsError):
    """A configuration file cannot be read or is not TOML."""

    code = "settings.unreadable"
    cause = Text("{source} cannot be read: {reason}.", "无法读取 {source}：{reason}。")


class UnknownSettingError(SettingsError):
    """A key that no part of the program knows."""

    code = "settings.unknown_key"
    cause = Text("{source}: there is no setting {key}.", "{source}：没有名为 {key} 的设置项。")
    action = Text("{suggestion}", "{suggestion_zh}")


class InvalidSettingError(SettingsError):
    """A value of the wrong type or out of its range."""

    code = "settings.invalid_value"
    cause = Text("{key}: {reason}.", "{key}：{reason}。")


class InvalidConfigurationError(SettingsError):
    """The configuration has one or more problems; ``problems`` holds them all."""

    code = "settings.invalid"
    cause = Text("The configuration has {count} problem(s):", "配置存在 {count} 个问题：")
    action = Text("{listing}", "{listing_zh}")

    def __init__(self, problems: Sequence[SettingsError]) -> None:
        self.problems = tuple(problems)
        super().__init__(count=len(problems), listing=self._listing("en"), listing_zh=self._listing("zh"))

    def _listing(self, language: Language) -> str:
        return "".join(f"\n  [{problem.code}] {problem.message(language)}" for problem in self.problems)


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of every section, checked."""

    _by_type: Mapping[type[Options], Options]

    def of(self, options: type[O]) -> O:
        """Return the options of one section."""
        found = self._by_type[options]
        assert isinstance(found, options)  # noqa: S101  # the mapping is built so; this tells the type checker
        return found

    def sections(self) -> Iterator[Options]:
        """Yield the options of every section."""
        yield from self._by_type.values()


def load(sections: Sequence[type[Options]], *, file: Path | None, environment: Mapping[str, str]) -> Settings:
    """Read, merge and check everything; raise :class:`InvalidConfigurationError` with all problems found."""
    known = _schema(sections)
    problems: list[SettingsError] = []
    merged: dict[str, Any] = {}
    for source, table in _sources(file, environment, problems):
        problems.extend(_unknown(table, known, source, ""))
        _merge(merged, table)
    if problems:
        raise InvalidConfigurationError(problems)
    options: dict[type[Options], Options] = {}
    for section in sections:
        try:
            options[section] = msgspec.convert(_table(merged, section.SECTION), section)
        except (msgspec.ValidationError, SettingsError) as error:
            problems.append(_invalid(section.SECTION, error))
    if problems:
        raise InvalidConfigurationError(problems)
    return Settings(options)


def _sources(
    file: Path | None, environment: Mapping[str, str], problems: list[SettingsError]
) -> Iterator[tuple[str, dict[str, Any]]]:
    files: list[Path] = []
    if file is not None:
        files = [file, *sorted((file.parent / "conf.d").glob("*.toml"))]
    for path in files:
        try:
            yield path.name, tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            problems.append(UnreadableFileError(source=str(path), reason=str(error)))
    for name, value in sorted(environment.items()):
        levels = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        if name.startswith(ENVIRONMENT_PREFIX) and len(levels) > 1:
            nested = _toml_value(value)
            for level in reversed(levels):
                nested = {level: nested}
            yield name, nested


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _merge(into: dict[str, Any], table: Mapping[str, Any]) -> None:
    for key, value in table.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _schema(sections: Iterable[type[Options]]) -> dict[str, Any]:
    """Return ``{section: {…: options type}}`` as nested dictionaries, dotted sections split."""
    tree: dict[str, Any] = {}
    for section in sections:
        *parents, last = section.SECTION.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = inspect.type_info(section)
    return tree


def _table(merged: Mapping[str, Any], section: str) -> Any:
    node: Any = merged
    for level in section.split("."):
        node = node.get(level, {})
    return node


def _unknown(value: Any, known: Any, source: str, path: str) -> Iterator[UnknownSettingError]:
    """Walk *value* beside its schema and yield every key that has no place in it."""
    known = _only_structure(known)
    if isinstance(known, inspect.ListType) and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown(item, known.item_type, source, f"{path}[{index}]")
    elif isinstance(known, inspect.DictType) and isinstance(value, dict):
        for key, item in value.items():
            yield from _unknown(item, known.value_type, source, f"{path}.{key}")
    elif isinstance(known, dict) and isinstance(value, dict):
        for key, item in value.items():
            here = f"{path}.{key}" if path else key
            if key in known:
                yield from _unknown(item, known[key], source, here)
            else:
                yield _unknown_error(source, here, key, known)


def _only_structure(known: Any) -> Any:
    """Return what can hold keys in a type: the one structure of a union, a struct's fields by name."""
    if isinstance(known, inspect.UnionType):
        holders = [one for one in known.types if isinstance(one, inspect.StructType | inspect.DictType)]
        known = holders[0] if len(holders) == 1 else None
    if isinstance(known, inspect.StructType):
        return {field.encode_name: field.type for field in known.fields}
    return known


def _unknown_error(source: str, here: str, key: str, known: Iterable[str]) -> UnknownSettingError:
    names = sorted(known)
    near = difflib.get_close_matches(key, names, n=1)
    return UnknownSettingError(
        source=source,
        key=here,
        suggestion=f"Did you mean {near[0]!r}?" if near else f"Known here: {', '.join(names)}.",
        suggestion_zh=f"是否应为 {near[0]!r}？" if near else f"此处可用：{'、'.join(names)}。",
    )


def _invalid(section: str, error: Exception) -> SettingsError:
    if isinstance(error, SettingsError):
        return error
    reason, _, where = str(error).partition(" - at `$")
    return InvalidSettingError(key=section + where.rstrip("`"), reason=reason)
