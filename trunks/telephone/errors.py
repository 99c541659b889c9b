"""What can be refused at the switchboard."""

from gateway.core.errors import Kind, TrunklineError
from gateway.core.text import Text


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
    cause = Text("The phone {position} is {state}.", "话机 {position} 当前状态：{state}。")
    action = Text("Hang up there, or choose another position.", "请先挂机，或选择其他座席。")


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
