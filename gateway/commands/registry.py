"""Every command that there is, by name."""

from collections.abc import Iterable
from typing import Any

import msgspec

from gateway.commands.envelope import decode_body
from gateway.commands.errors import UnknownVerbError
from gateway.commands.spec import BoundCommand, CommandSpec
from gateway.core.events import Message


class RegisteredCommand:
    """A command ready to be used: its decoder refuses fields that the body does not have, whatever its class says."""

    def __init__(self, bound: BoundCommand[Any, Any]) -> None:
        self.spec = bound.spec
        self.handler = bound.handler
        _check_secrets(bound.spec)
        body = bound.spec.body
        self._decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(body)
        # The handler gets the class that it knows; a twin of it that forbids unknown fields looks first.
        self._strict: msgspec.json.Decoder[Message] | None = None
        if not body.__struct_config__.forbid_unknown_fields:
            twin = msgspec.defstruct(
                body.__name__, [], bases=(body,), forbid_unknown_fields=True, frozen=True, kw_only=True
            )
            self._strict = msgspec.json.Decoder(twin)

    def decode(self, data: bytes | msgspec.Raw) -> Message:
        """Return the body; raise ``CommandSchemaError`` when *data* has not its form."""
        if self._strict is not None:
            decode_body(self._strict, data)
        return decode_body(self._decoder, data)

    def redacted(self, result: Message) -> Message:
        """Return *result* with its secrets taken out."""
        hidden = {name: None for name in self.spec.secrets if name in result.__struct_fields__}
        return msgspec.structs.replace(result, **hidden) if hidden else result

    @property
    def secret_result(self) -> bool:
        """Whether the result holds a secret."""
        return any(name in self.spec.result.__struct_fields__ for name in self.spec.secrets)


class CommandRegistry:
    """Commands by name; a name is given once."""

    def __init__(self, commands: Iterable[BoundCommand[Any, Any]] = ()) -> None:
        self._commands: dict[str, RegisteredCommand] = {}
        for command in commands:
            self.add(command)

    def add(self, command: BoundCommand[Any, Any]) -> None:
        """Register *command*; raise ``ValueError`` when its name is in use or its secrets are not its fields."""
        if command.spec.name in self._commands:
            raise ValueError(f"command {command.spec.name!r} is registered twice")
        self._commands[command.spec.name] = RegisteredCommand(command)

    def find(self, name: str) -> RegisteredCommand:
        """Return the command *name*; raise :class:`UnknownVerbError`."""
        found = self._commands.get(name)
        if found is None:
            raise UnknownVerbError(name[:64], self._commands)
        return found

    def specs(self) -> list[CommandSpec[Any, Any]]:
        """Return every command, by name."""
        return [self._commands[name].spec for name in sorted(self._commands)]


def _check_secrets(spec: CommandSpec[Any, Any]) -> None:
    shown = {field.name: field for field in msgspec.structs.fields(spec.result)}
    for name in spec.secrets:
        if name not in shown and name not in spec.body.__struct_fields__:
            raise ValueError(f"{spec.name}: no field {name!r}")
        if name in shown and type(None) not in getattr(shown[name].type, "__args__", ()):
            raise ValueError(f"{spec.name}: the secret {name!r} of the result must be allowed to be null")
