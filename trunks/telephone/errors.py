"""What can be refused at the switchboard."""

from gateway.core.errors import Kind, TrunklineError
from gateway.core.text import Text

_NO_SESSION = Text("there is no session", "没有连接")
_IN_USE = Text("in use", "正在使用")
_UNREGISTERED = Text("not registered", "未注册")
_PHONE_STATES = {
    "not free": Text("in use or not registered", "正在使用或未注册"),
    "unavailable": _UNREGISTERED,
    "invalid": _UNREGISTERED,
    "inuse": _IN_USE,
    "busy": _IN_USE,
    "onhold": Text("on hold", "保持中"),
    "ringing": Text("ringing", "正在振铃"),
    "ringinuse": Text("in use and ringing", "正在使用并振铃"),
    "unknown": Text("in an unknown state", "状态未知"),
}
_LINE_STATES = {
    "out_of_service": Text("it is out of service", "已停用"),
    "idle": Text("it is for incoming calls only", "仅供呼入"),
    "ringing": Text("it is ringing", "正在振铃"),
    "dialling": Text("it is dialling", "正在拨号"),
    "in_call": Text("it is in a call", "正在通话"),
    "unknown": Text("there is no such line", "没有这条线路"),
}


class NotDialableError(TrunklineError):
    """The number cannot be dialled as it is."""

    kind = Kind.INVALID
    action = Text("Check the number.", "请核对号码。")


class NumberEmptyError(NotDialableError):
    """There is nothing to dial."""

    code = "tel.number_empty"
    cause = Text("The number is empty.", "号码为空。")


class NumberCharactersError(NotDialableError):
    """The number holds what no telephone can dial."""

    code = "tel.number_characters"
    cause = Text("The number holds characters that cannot be dialled.", "号码含有无法拨打的字符。")


class NumberTonesError(NotDialableError):
    """The number holds * or #, and service codes are not allowed."""

    code = "tel.number_tones"
    cause = Text("The number holds * or #, which is not allowed here.", "号码含有 * 或 #，此处不允许。")
    action = Text(
        "Set telephone.dialling.allow_tones, or dial without.", "请设置 telephone.dialling.allow_tones，或去掉后再拨。"
    )


class NumberTooLongError(NotDialableError):
    """The number is longer than any number is."""

    code = "tel.number_too_long"
    cause = Text("The number has more than {longest} digits.", "号码超过 {longest} 位。")


class InternationalBarredError(NotDialableError):
    """International calls are not allowed."""

    code = "tel.international_barred"
    kind = Kind.REFUSED
    cause = Text("International calls are not allowed.", "不允许拨打国际长途。")
    action = Text("Set telephone.dialling.allow_international.", "请设置 telephone.dialling.allow_international。")


class NoFreeLineError(TrunklineError):
    """No line can be taken to dial out."""

    code = "tel.no_free_line"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("There is no free line to dial on.", "没有可用的外线。")
    action = Text("Wait for a call to end, or free a line.", "请等待线路空闲，或释放一条线路。")


class LineNotFreeError(TrunklineError):
    """The line asked for cannot be dialled on now."""

    code = "tel.line_not_free"
    kind = Kind.CONFLICT
    cause = Text("{line} cannot be dialled on: {reason}.", "{line} 无法外拨：{reason}。")
    action = Text("Choose another line, or none.", "请选择其他线路，或不指定线路。")

    def __init__(self, *, line: str, reason: str) -> None:
        super().__init__(line=line, reason=_LINE_STATES.get(reason, reason))


class PositionUnknownError(TrunklineError):
    """There is no such position."""

    code = "tel.position_unknown"
    kind = Kind.NOT_FOUND
    cause = Text("There is no position {position!r}.", "没有座席 {position!r}。")
    action = Text("Choose one of: {known}.", "请选择：{known}。")


class PositionBusyError(TrunklineError):
    """The position's phone cannot ring now."""

    code = "tel.position_busy"
    kind = Kind.CONFLICT
    retryable = True
    cause = Text("Phone {position}: {state}.", "话机 {position}：{state}。")
    action = Text(
        "Hang up there if it is in use, see to its registration if it has none, or choose another position.",
        "若正在使用，请先挂机；若未注册，请检查话机；也可选择其他座席。",
    )

    def __init__(self, *, position: str, state: str) -> None:
        super().__init__(position=position, state=_PHONE_STATES.get(state, state))


class CallUnknownError(TrunklineError):
    """There is no such call, or it is over."""

    code = "tel.call_unknown"
    kind = Kind.NOT_FOUND
    cause = Text("There is no live call {call!r}.", "没有进行中的通话 {call!r}。")
    action = Text("Look at the lines: it may be over.", "请查看线路状态，通话可能已结束。")


class SwitchboardUnavailableError(TrunklineError):
    """Asterisk cannot be reached, so nothing can be dialled or hung up."""

    code = "tel.unavailable"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("Asterisk is not available: {reason}.", "Asterisk 不可用：{reason}。")

    def __init__(self, *, reason: str | Text) -> None:
        super().__init__(reason=_NO_SESSION if reason == _NO_SESSION.en else reason)

    action = Text("Dial on the phone itself; see `trunkline status`.", "请直接用话机拨号；查看 `trunkline status`。")


class DialFailedError(TrunklineError):
    """Asterisk refused to place the call."""

    code = "tel.dial_failed"
    kind = Kind.FAILED
    cause = Text("Asterisk did not place the call: {reason}.", "Asterisk 未能发起呼叫：{reason}。")
    action = Text("Check that the position's phone is registered.", "请检查座席话机是否已注册。")


class DialUnknownError(TrunklineError):
    """Whether the call was placed is not known."""

    code = "tel.dial_unknown"
    kind = Kind.UNKNOWN_OUTCOME
    cause = Text("Asterisk did not tell whether the call was placed.", "Asterisk 未答复呼叫是否已发起。")
    action = Text("Look at the line before dialling again.", "重拨前请先查看线路状态。")
