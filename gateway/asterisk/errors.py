"""Errors of the Asterisk side, with their stable ids."""

from gateway.core.errors import Kind, TrunklineError
from gateway.core.text import Text

_STATUS = Text("`trunkline status` shows the state of Asterisk.", "`trunkline status` 可查看 Asterisk 的状态。")
_REPORT = Text("This is a defect; please report it with the log.", "这是程序缺陷，请连同日志一并上报。")


class AsteriskError(TrunklineError):
    """The branch of everything that concerns Asterisk."""


class AmiUnavailableError(AsteriskError):
    """There is no session with Asterisk's manager interface; nothing was sent."""

    code = "ami.unavailable"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("Asterisk's manager interface is not available: {reason}.", "Asterisk 管理接口不可用：{reason}。")
    action = _STATUS


class AmiLoginError(AsteriskError):
    """Asterisk does not accept the user or the secret."""

    code = "ami.login"
    kind = Kind.CONFIG
    cause = Text(
        "Asterisk refused the manager login of {user!r}: {reason}.", "Asterisk 拒绝用户 {user!r} 登录：{reason}。"
    )
    action = Text("Compare the secret with manager.conf.", "请核对密钥与 manager.conf 是否一致。")


class AmiRefusedError(AsteriskError):
    """Asterisk answered an action with an error; nothing was done."""

    code = "ami.refused"
    kind = Kind.FAILED
    cause = Text("Asterisk refused {action}: {reason}.", "Asterisk 拒绝执行 {action}：{reason}。")
    action = Text("Look at the state of the call, then decide again.", "请查看通话状态后再决定。")


class AmiDeadlineError(AsteriskError):
    """Asterisk gave no answer in time. Whether the action was done is unknown: never repeat it blindly."""

    code = "ami.deadline"
    kind = Kind.UNKNOWN_OUTCOME
    cause = Text(
        "Asterisk did not answer {action} within {timeout_s} s.", "Asterisk 在 {timeout_s} 秒内未答复 {action}。"
    )
    action = Text("Look whether it happened before it is tried again.", "重试前请先确认是否已经执行。")


class AmiLostError(AsteriskError):
    """The session ended while an action waited. ``outcome_unknown`` tells whether Asterisk may have received it."""

    code = "ami.lost"
    kind = Kind.UNKNOWN_OUTCOME
    cause = Text(
        "The session with Asterisk ended during {action}: {reason}.",
        "执行 {action} 时与 Asterisk 的连接中断：{reason}。",
    )
    action = Text("Look whether it happened before it is tried again.", "重试前请先确认是否已经执行。")

    def __init__(self, *, action: str, reason: str, outcome_unknown: bool) -> None:
        super().__init__(action=action, reason=reason)
        self.outcome_unknown = outcome_unknown


class AmiProtocolError(AsteriskError):
    """The peer does not speak the manager protocol, or more of it than can be held."""

    code = "ami.protocol"
    kind = Kind.FAILED
    retryable = True
    cause = Text("The manager interface sent what cannot be used: {reason}.", "管理接口发来无法处理的数据：{reason}。")
    action = Text("Check that the port is Asterisk's manager port.", "请确认该端口是 Asterisk 的管理端口。")


class AmiGapError(AsteriskError):
    """Events were lost between the last one and the next: read the present state again."""

    code = "ami.gap"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("Events of Asterisk were lost: {reason}.", "丢失了 Asterisk 事件：{reason}。")
    action = Text("The state is read again by itself.", "系统会自动重新读取状态。")


class UnsafeValueError(AsteriskError):
    """A value would change the meaning of what is sent to Asterisk, or does not fit."""

    code = "asterisk.unsafe_value"
    kind = Kind.INVALID
    cause = Text("{field} cannot be sent to Asterisk: {reason}.", "{field} 不能发送给 Asterisk：{reason}。")
    action = Text("Remove the control or special characters.", "请去掉控制字符或特殊字符。")


class AgiError(AsteriskError):
    """The branch of what ends or disturbs one FastAGI session."""


class AgiHangupError(AgiError):
    """The channel has hung up: ``HANGUP`` was seen, or Asterisk answered 511."""

    code = "agi.hangup"
    kind = Kind.CONFLICT
    cause = Text("The caller has hung up.", "来电方已挂断。")
    action = Text("Nothing is left to do for this call.", "该通话无需再处理。")


class AgiCommandError(AgiError):
    """Asterisk does not know the command (510) or its form (520)."""

    code = "agi.command"
    cause = Text("Asterisk refused {command}: {status} {reason}", "Asterisk 拒绝 {command}：{status} {reason}")
    action = _REPORT


class AgiClosedError(AgiError):
    """Asterisk closed the connection."""

    code = "agi.closed"
    kind = Kind.UNAVAILABLE
    cause = Text("Asterisk closed the connection of this call: {reason}.", "Asterisk 关闭了该通话的连接：{reason}。")
    action = _STATUS


class AgiDeadlineError(AgiError):
    """Asterisk gave no reply in time."""

    code = "agi.deadline"
    kind = Kind.UNKNOWN_OUTCOME
    cause = Text(
        "Asterisk did not reply to {command} within {timeout_s} s.", "Asterisk 在 {timeout_s} 秒内未答复 {command}。"
    )
    action = _STATUS


class AgiProtocolError(AgiError):
    """The peer does not speak AGI, or more of it than can be held."""

    code = "agi.protocol"
    kind = Kind.FAILED
    cause = Text("The peer does not speak AGI: {reason}.", "对端不符合 AGI 协议：{reason}。")
    action = Text("Check what connects to the FastAGI port.", "请检查是谁在连接 FastAGI 端口。")


class CelError(AsteriskError):
    """The file of channel events cannot be read."""

    code = "cel.unreadable"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("The channel event file {path} cannot be read: {reason}.", "无法读取通道事件文件 {path}：{reason}。")
    action = Text("Check that it is readable and its disk sound.", "请检查文件权限与磁盘状态。")
