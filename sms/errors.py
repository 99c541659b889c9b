"""What can be wrong with a short message."""

from gateway.core.errors import Kind, TrunklineError
from gateway.core.text import Text


class PduError(TrunklineError):
    """The octets are no SMS TPDU, or a message cannot be put into one."""

    code = "sms.pdu"
    kind = Kind.INVALID
    cause = Text("This is not a valid SMS PDU: {reason}.", "不是有效的短信 PDU：{reason}。")
    action = Text(
        "Give SUBMIT, DELIVER or STATUS-REPORT as hexadecimal digits, whole and without anything behind it.",
        "请提供完整的 SUBMIT、DELIVER 或 STATUS-REPORT 十六进制串，前后不得有多余内容。",
    )


class SmsTextError(TrunklineError):
    """The text cannot be sent."""

    code = "sms.text"
    kind = Kind.INVALID
    cause = Text("The text cannot be sent: {reason}.", "短信内容无法发送：{reason}。")
    action = Text("Change the text and send it again.", "请修改内容后重新发送。")


class SmsNumberError(TrunklineError):
    """The recipient is no number that a network takes."""

    code = "sms.number"
    kind = Kind.INVALID
    cause = Text("This is not a number that messages can be sent to: {reason}.", "无法向该号码发送短信：{reason}。")
    action = Text("Give digits, with + before an international number.", "请填写数字，国际号码前加 +。")


class ModemError(TrunklineError):
    """A modem cannot do its work."""

    kind = Kind.UNAVAILABLE
    retryable = True
    action = Text("Look at the modem, its cable and its SIM.", "请检查调制解调器、连接线和 SIM 卡。")


class ModemAbsentError(ModemError):
    """No port leads to this modem."""

    code = "sms.modem_absent"
    cause = Text("The modem {modem} is not connected: {reason}.", "短信设备 {modem} 未连接：{reason}。")


class ModemLostError(ModemError):
    """The port is gone while it was used."""

    code = "sms.modem_lost"
    cause = Text("The modem's port was lost: {reason}.", "与短信设备的连接中断：{reason}。")


class ModemSilentError(ModemError):
    """It does not answer."""

    code = "sms.modem_silent"
    cause = Text(
        "The modem did not answer {command} within {timeout_s} s.", "短信设备在 {timeout_s} 秒内未应答 {command}。"
    )


class ModemRefusedError(ModemError):
    """It refuses what it has to do."""

    code = "sms.modem_refused"
    cause = Text("The modem refused {command}: {answer}.", "短信设备拒绝执行 {command}：{answer}。")


class ModemNotReadyError(ModemError):
    """Messages cannot be sent on it now."""

    code = "sms.modem_not_ready"
    cause = Text("The modem {modem} cannot send now: {reason}.", "短信设备 {modem} 当前无法发送：{reason}。")


class SimLockedError(TrunklineError):
    """The SIM wants a PIN that is not configured, was refused, or the PUK."""

    code = "sms.sim_locked"
    kind = Kind.CONFIG
    cause = Text("The SIM of {modem} is locked: {reason}.", "{modem} 的 SIM 卡已锁定：{reason}。")
    action = Text(
        "Set the right PIN, or unlock the SIM in a telephone; a wrong PIN is never tried twice.",
        "请设置正确的 PIN，或在手机中解锁；错误的 PIN 不会重复尝试。",
    )


class SendRefusedError(TrunklineError):
    """The network or the modem did not take a segment: it was not sent."""

    code = "sms.send_refused"
    kind = Kind.FAILED
    retryable = True
    cause = Text("The message was not taken: {cause}.", "短信未被接受：{cause}。")
    action = Text("It is tried again where that can help.", "如有可能，系统将自动重试。")


class SendUnknownError(TrunklineError):
    """A segment was handed over, and no answer says whether it was sent."""

    code = "sms.send_unknown"
    kind = Kind.UNKNOWN_OUTCOME
    cause = Text("Nobody knows whether the message was sent: {cause}.", "无法确认短信是否已发出：{cause}。")
    action = Text("A status report will tell; it is not sent again by itself.", "将由状态报告确认；系统不会自动重发。")
