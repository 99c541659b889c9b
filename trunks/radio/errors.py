"""What can be refused at the radio."""

from gateway.core.errors import Kind, TrunklineError
from gateway.core.text import Text


class KeyRefusedError(TrunklineError):
    """The transmitter must not be keyed now."""

    code = "radio.key_refused"
    kind = Kind.CONFLICT
    cause = Text("The transmitter {radio} may not be keyed: {reason}.", "电台 {radio} 不允许发射：{reason}。")
    action = Text(
        "Check that radio, port and sound device are the configured ones.", "请核对电台、串口和声卡是否与配置一致。"
    )


class KeyerLostError(TrunklineError):
    """The process that owns the radio's port is gone."""

    code = "radio.keyer_lost"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("The radio {radio} cannot be reached: {reason}.", "无法连接电台 {radio}：{reason}。")
    action = Text("Check its cable and power; it is tried again by itself.", "请检查线缆和电源；系统会自动重试。")


class RadioRefusedError(TrunklineError):
    """The radio answered a command with an error."""

    code = "radio.refused"
    kind = Kind.FAILED
    cause = Text("The radio {radio} refused: {reason}.", "电台 {radio} 拒绝执行：{reason}。")
    action = Text("Look at its registration and group, and try again.", "请查看其登记状态和通话组后重试。")


class RadioSilentError(TrunklineError):
    """The radio gave no answer, so whether the command was done is not known."""

    code = "radio.silent"
    kind = Kind.UNKNOWN_OUTCOME
    cause = Text("The radio {radio} gave no answer to {what}.", "电台 {radio} 对 {what} 没有答复。")
    action = Text("Look at its state before trying again.", "重试前请先查看其状态。")


class RadioNotFoundError(TrunklineError):
    """No port leads to the radio with the configured identity."""

    code = "radio.not_found"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("No port leads to the radio {radio}.", "没有任何串口连接到电台 {radio}。")
    action = Text("Check its cable, its power and the configured identity.", "请检查线缆、电源和配置的身份号码。")


class SerialPortError(TrunklineError):
    """A serial port cannot be opened or used."""

    code = "radio.port"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("The port {port} cannot be used: {reason}.", "无法使用串口 {port}：{reason}。")
    action = Text("Check the cable, and that no other program holds it.", "请检查线缆，并确认没有其他程序占用该串口。")
