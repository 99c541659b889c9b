"""The error tree.

Every error that a person or another program can meet is a class here or in a feature, with a stable id that web, bus,
logs and command line share. Its message is the cause and the next action, in both languages. The reference page
``docs/reference/errors.md`` is generated from these classes.
"""

import enum
from collections.abc import Iterator
from typing import Any, ClassVar

from gateway.core.text import Language, Text


class Kind(enum.Enum):
    """What sort of failure it is; the value is (exit code of the command line, HTTP status)."""

    INTERNAL = (1, 500)
    USAGE = (2, 400)
    INVALID = (3, 422)
    NOT_FOUND = (4, 404)
    CONFLICT = (5, 409)
    REFUSED = (6, 403)
    UNAUTHENTICATED = (7, 401)
    UNAVAILABLE = (8, 503)
    EXPIRED = (9, 410)
    FAILED = (10, 502)
    UNKNOWN_OUTCOME = (11, 504)
    CONFIG = (12, 500)

    @property
    def exit_code(self) -> int:
        """The exit code of the command line."""
        return self.value[0]

    @property
    def http_status(self) -> int:
        """The HTTP status of an answer that carries such an error."""
        return self.value[1]


class TrunklineError(Exception):
    """The root of the tree: not raised itself.

    A subclass that sets ``code`` is a leaf with an id; one that does not is a branch for ``except``.
    ``fields`` fill the placeholders of ``cause`` and ``action``; a field that is missing is a programming error.
    """

    code: ClassVar[str] = ""
    kind: ClassVar[Kind] = Kind.INTERNAL
    cause: ClassVar[Text] = Text("Something went wrong.", "出现错误。")
    action: ClassVar[Text] = Text("See the log.", "请查看日志。")
    retryable: ClassVar[bool] = False

    def __init__(self, **fields: Any) -> None:
        self.fields = fields
        super().__init__(self.message())

    def message(self, language: Language = "en") -> str:
        """Cause and next action as one text."""
        between = "" if language == "zh" else " "
        return f"{self.title(language)}{between}{self.next_action(language)}"

    def title(self, language: Language = "en") -> str:
        """The cause alone."""
        return self.cause.in_language(language, **self.fields)

    def next_action(self, language: Language = "en") -> str:
        """What to do now."""
        return self.action.in_language(language, **self.fields)

    def as_text(self) -> Text:
        """Cause and next action in both languages, to stand as a field of another error."""
        return Text(self.message("en"), self.message("zh"))

    def as_dict(self, language: Language = "en") -> dict[str, Any]:
        """The error as other programs see it: ``{code, title, detail, retryable, cause}``."""
        cause = self.__cause__
        return {
            "code": self.code,
            "title": self.title(language),
            "detail": self.next_action(language),
            "retryable": self.retryable,
            "cause": None if cause is None else f"{type(cause).__name__}: {cause}"[:500],
        }


def error_classes(root: type[TrunklineError] = TrunklineError) -> Iterator[type[TrunklineError]]:
    """Yield every leaf of the tree that has been imported so far, depth first."""
    for subclass in root.__subclasses__():
        if "code" in subclass.__dict__:
            yield subclass
        yield from error_classes(subclass)


class InternalError(TrunklineError):
    """A defect of the program itself."""

    code = "internal"
    cause = Text("An internal error occurred: {what}.", "内部错误：{what}。")
    action = Text(
        "It is in the log with its trace; please report it.",
        "日志中有完整的跟踪信息，请上报。",
    )


class InvalidInputError(TrunklineError):
    """A value given from outside cannot be used."""

    code = "input.invalid"
    kind = Kind.INVALID
    cause = Text("{field}: {reason}.", "{field}：{reason}。")
    action = Text("Correct the value and send it again.", "请更正后重新提交。")


class NotFoundError(TrunklineError):
    """What was named does not exist."""

    code = "not_found"
    kind = Kind.NOT_FOUND
    cause = Text("There is no {what} {name!r}.", "没有名为 {name!r} 的{what}。")
    action = Text("Check the name, or list what there is.", "请核对名称，或先列出现有的项目。")


class ConflictError(TrunklineError):
    """The thing is not in a state in which this can be done."""

    code = "conflict"
    kind = Kind.CONFLICT
    cause = Text("{what}: {reason}.", "{what}：{reason}。")
    action = Text("Look at its present state and decide again.", "请查看当前状态后再决定。")


class UnavailableError(TrunklineError):
    """A part that is needed is down for the moment."""

    code = "unavailable"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("{part} is not available: {reason}.", "{part} 不可用：{reason}。")
    action = Text(
        "Try again shortly; `trunkline status` shows its state.", "请稍后重试；`trunkline status` 可查看其状态。"
    )


class DeadlineError(TrunklineError):
    """A wait on the outside ended without an answer."""

    code = "deadline"
    kind = Kind.UNKNOWN_OUTCOME
    retryable = True
    cause = Text("{what} gave no answer within {timeout_s} s.", "{what} 在 {timeout_s} 秒内没有答复。")
    action = Text("Check that it is alive: `trunkline doctor`.", "请检查其是否正常：`trunkline doctor`。")
