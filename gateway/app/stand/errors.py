"""What can go wrong with the programs that the stand starts."""

from gateway.core.errors import Kind, TrunklineError
from gateway.core.text import Text


class StandError(TrunklineError):
    """A program of the stand does not do its part."""

    kind = Kind.FAILED


class ProgramMissingError(StandError):
    """A program that is needed is not installed."""

    code = "stand.program_missing"
    cause = Text("The program {program} is not installed.", "未安装程序 {program}。")
    action = Text("Run `make setup`.", "请运行 `make setup`。")


class NobodyAnsweredError(StandError):
    """The demonstration call found nobody."""

    code = "stand.nobody_answered"
    cause = Text("Nobody answered the demonstration call: {what}.", "无人应答演示来电：{what}。")
    action = Text(
        "See {gateway} and {asterisk} for what became of it, then run it again.",
        "请查看 {gateway} 和 {asterisk} 了解原因，然后重新运行。",
    )


class ProgramFailedError(StandError):
    """A program ended, or never became ready."""

    code = "stand.program_failed"
    cause = Text("{program} {what}: {tail}", "{program} {what}：{tail}")
    action = Text("Its log is {log}.", "其日志为 {log}。")
