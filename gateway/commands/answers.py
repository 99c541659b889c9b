"""Answers: how far a command has come, as its caller sees it."""

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from gateway.core.errors import TrunklineError
from gateway.core.events import Message
from gateway.principals.model import Principal


class Source(enum.StrEnum):
    """Where a command came from."""

    BUS = "bus"
    HTTP = "http"
    LOCAL = "local"


class CommandState(enum.StrEnum):
    """How far a command is; all but the first two are final."""

    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    REJECTED = "rejected"
    UNKNOWN = "unknown"

    @property
    def final(self) -> bool:
        """Whether it will not change any more."""
        return self not in {CommandState.ACCEPTED, CommandState.IN_PROGRESS}


class AnswerError(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Why a command did not succeed; ``title`` and ``detail`` in English, and in Chinese beside them."""

    code: str
    title: str
    detail: str
    retryable: bool
    cause: str | None
    title_zh: str = ""
    detail_zh: str = ""


class AnswerMessage(Message, frozen=True, kw_only=True):
    """An answer on the bus. ``id`` is null when it could not be read.

    ``duplicate`` answers a command that is under way already, and ``original`` is its state; one that has ended is
    answered with what was answered then.
    """

    id: str | None
    command: str
    state: Literal["accepted", "in_progress", "succeeded", "failed", "expired", "rejected", "unknown", "duplicate"]
    at: datetime
    original: Literal["accepted", "in_progress"] | msgspec.UnsetType = msgspec.UNSET
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: AnswerError | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class Answer:
    """How far a command is. ``result`` is JSON; ``error`` is ``TrunklineError.as_dict`` and the Chinese texts."""

    command_id: str | None
    name: str
    state: CommandState
    at: datetime
    result: bytes | None = None
    error: dict[str, Any] | None = None
    duplicate: bool = False

    @property
    def final(self) -> bool:
        """Whether the state will not change any more."""
        return self.state.final

    def encode(self) -> bytes:
        """Return the answer as it is published (:class:`AnswerMessage`)."""
        repeated = self.duplicate and not self.final
        fields: dict[str, Any] = {"state": "duplicate", "original": self.state.value} if repeated else {}
        if self.result is not None:
            fields["result"] = msgspec.Raw(self.result)
        if self.error is not None:
            fields["error"] = msgspec.convert(self.error, AnswerError)
        return msgspec.json.encode(
            AnswerMessage(
                **{"id": self.command_id, "command": self.name, "state": self.state.value, "at": self.at, **fields}
            )
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """Where an answer goes: MQTT 5 ResponseTopic and CorrelationData, or ``reply_to`` of the envelope.

    It is what the caller asked for; the bus checks that the topic is the caller's own before it publishes.
    """

    topic: str = ""
    correlation: bytes | None = None


@dataclass(frozen=True, slots=True)
class AnswerNote:
    """An answer on its way to who asked. ``in_ledger`` tells whether the ledger holds its command."""

    principal: str
    source: Source
    reply: Reply
    answer: Answer
    in_ledger: bool = True


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a caller gets once its command is written down, or refused.

    ``refusal`` is why it was not taken.
    """

    note: AnswerNote
    refusal: TrunklineError | None = None
    later: Callable[[], Awaitable[Answer]] | None = None

    @property
    def answer(self) -> Answer:
        """How far the command is now."""
        return self.note.answer

    async def outcome(self) -> Answer:
        """Wait for the final answer. Cancelling the wait does not cancel the command.

        Raises ``UnavailableError`` when the gateway stops first.
        """
        return self.answer if self.later is None else await self.later()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A command as it came in. ``expires_at`` of ``None`` leaves the time-to-live to the command's default.

    ``traceparent`` is the trace that its sender named; it is not written down.
    """

    principal: Principal
    name: str
    command_id: str
    expires_at: datetime | None
    data: bytes | msgspec.Raw
    source: Source
    incident: str | None = None
    reply: Reply = Reply()
    traceparent: str | None = None


def error_body(error: TrunklineError) -> dict[str, Any]:
    """Return *error* as an answer carries it, in both languages."""
    return {**error.as_dict("en"), "title_zh": error.title("zh"), "detail_zh": error.next_action("zh")}
