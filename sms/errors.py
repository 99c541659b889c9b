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
