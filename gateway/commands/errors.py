"""Why a command is not carried out."""

import difflib
from collections.abc import Iterable

from gateway.core.errors import Kind, TrunklineError
from gateway.core.text import Text


class CommandError(TrunklineError):
    """The branch of what is wrong with a command itself."""


class UnreadableCommandError(CommandError):
    """The branch of payloads that cannot be decoded."""

    kind = Kind.INVALID
    action = Text(
        "Correct the sender; docs/reference/commands.md shows the form.",
        "请更正发送方；格式见 docs/reference/commands.md。",
    )


class OversizeError(UnreadableCommandError):
    """The payload is larger than 64 KiB."""

    code = "command.oversize"
    cause = Text("The command has {size} bytes, more than {limit}.", "命令长度为 {size} 字节，超过 {limit}。")


class TooDeepError(UnreadableCommandError):
    """The JSON is nested deeper than 32 levels."""

    code = "command.too_deep"
    cause = Text("The command is nested deeper than {limit} levels.", "命令的嵌套超过 {limit} 层。")


class NotUtf8Error(UnreadableCommandError):
    """The payload is no UTF-8 text."""

    code = "command.not_utf8"
    cause = Text("The command is not UTF-8 at byte {position}.", "命令在第 {position} 字节处不是 UTF-8。")


class NotJsonError(UnreadableCommandError):
    """The payload is no JSON text."""

    code = "command.not_json"
    cause = Text("The command is not JSON: {reason}.", "命令不是合法的 JSON：{reason}。")


class DuplicateKeyError(UnreadableCommandError):
    """An object has the same key twice, so two readers could understand two commands."""

    code = "command.duplicate_key"
    cause = Text("The command has the key {key!r} twice.", "命令中的键 {key!r} 重复。")


class NotFiniteError(UnreadableCommandError):
    """A number is NaN, infinite or too large for a double."""

    code = "command.not_finite"
    cause = Text("The command holds a number that is not finite.", "命令含有非有限数值。")


class LoneSurrogateError(UnreadableCommandError):
    """A string escapes half of a UTF-16 pair, which is no character."""

    code = "command.lone_surrogate"
    cause = Text("The command holds half of a surrogate pair.", "命令含有不成对的代理字符。")


class CommandSchemaError(UnreadableCommandError):
    """The JSON does not have the form of this command."""

    code = "command.schema"
    cause = Text("The command does not have its form: {reason}.", "命令不符合其格式：{reason}。")


class UnknownVerbError(CommandError):
    """There is no such command."""

    code = "command.unknown_verb"
    kind = Kind.NOT_FOUND
    cause = Text("There is no command {name!r}.", "没有名为 {name!r} 的命令。")
    action = Text("{hint}", "{hint_zh}")

    def __init__(self, name: str, known: Iterable[str]) -> None:
        near = difflib.get_close_matches(name, known, n=1)
        super().__init__(
            name=name,
            hint=f"Did you mean {near[0]!r}?" if near else "`trunkline send --help` lists the commands.",
            hint_zh=f"是否应为 {near[0]!r}？" if near else "`trunkline send --help` 可列出所有命令。",
        )


class CommandExpiredError(CommandError):
    """The time-to-live was over before the command took effect; it did not."""

    code = "command.expired"
    kind = Kind.EXPIRED
    cause = Text("The command's time was over before it took effect.", "命令在生效前已过期。")
    action = Text("Decide again, and send it with a new id.", "请重新决定，并使用新的标识发送。")


class TtlTooLongError(CommandError):
    """The time-to-live is longer than the command allows."""

    code = "command.ttl_too_long"
    kind = Kind.INVALID
    cause = Text("The time-to-live is longer than {limit_s} s.", "有效期超过 {limit_s} 秒。")
    action = Text("Send it with a shorter one, and check your clock.", "请缩短有效期，并检查发送方时钟。")


class IdConflictError(CommandError):
    """The id was used before for another command."""

    code = "command.id_conflict"
    kind = Kind.CONFLICT
    cause = Text("The id {command_id!r} was used for another command.", "标识 {command_id!r} 已用于另一条命令。")
    action = Text("Make a new id for each command.", "每条命令请使用新的标识。")


class CommandsOverloadedError(CommandError):
    """Too many commands are waiting, of all or of this principal."""

    code = "command.overloaded"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("Too many commands are under way.", "正在执行的命令过多。")
    action = Text("Wait for answers before sending more.", "请等待已有命令答复后再发送。")


class NotOnBusError(CommandError):
    """The command carries a secret, which does not belong on the bus."""

    code = "command.not_on_bus"
    kind = Kind.REFUSED
    cause = Text(
        "{name} carries a secret and is not taken from the bus.", "{name} 含有机密信息，不接受来自总线的请求。"
    )
    action = Text("Use the command line or the HTTP interface.", "请使用命令行或 HTTP 接口。")


class BodyNotKeptError(CommandError):
    """The gateway stopped before a command with a secret was begun, and its body was not written down."""

    code = "command.body_not_kept"
    kind = Kind.FAILED
    retryable = True
    cause = Text("The gateway was restarted before the command was begun.", "网关在执行该命令前重新启动。")
    action = Text("It had no effect; send it again with a new id.", "命令未生效；请使用新的标识重新发送。")


class OutcomeUnknownError(CommandError):
    """It cannot be told whether the command took effect. It is not carried out again by itself."""

    code = "command.outcome_unknown"
    kind = Kind.UNKNOWN_OUTCOME
    cause = Text("It is not known whether {name} took effect.", "无法确定 {name} 是否已生效。")
    action = Text("Look at the resource before you decide to repeat it.", "请先查看相关资源的状态，再决定是否重发。")
