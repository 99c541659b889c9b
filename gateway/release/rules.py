"""The way of a thing to its release, without I/O.

Laws:
1. It is released exactly once, by its last step or by an emergency override, and never after it was rejected,
   withdrawn or has lapsed.
2. Every step that counts was given to the content as it is: another digest takes all steps back.
3. Steps come in the order of the policy that stood when the request was made; a later change of the settings
   changes no request.
4. Where the policy says so, nobody takes two steps.
"""

import enum
from collections.abc import Sequence
from datetime import datetime

from gateway.core.errors import Kind, TrunklineError
from gateway.core.events import Message
from gateway.core.text import Text


class ReleaseState(enum.StrEnum):
    """Where a request is."""

    PENDING = "pending"
    REJECTED = "rejected"
    RELEASED = "released"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Action(enum.StrEnum):
    """What happens to a request."""

    STEP = "step"
    LAST_STEP = "last_step"
    OVERRIDE = "override"
    CHANGE = "change"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"


_S, _A = ReleaseState, Action
TRANSITIONS: dict[tuple[ReleaseState, Action], ReleaseState] = {
    (_S.PENDING, _A.STEP): _S.PENDING,
    (_S.PENDING, _A.LAST_STEP): _S.RELEASED,
    (_S.PENDING, _A.OVERRIDE): _S.RELEASED,
    (_S.PENDING, _A.CHANGE): _S.PENDING,
    (_S.PENDING, _A.REJECT): _S.REJECTED,
    (_S.PENDING, _A.WITHDRAW): _S.WITHDRAWN,
    (_S.PENDING, _A.EXPIRE): _S.EXPIRED,
    (_S.REJECTED, _A.CHANGE): _S.PENDING,
    (_S.REJECTED, _A.WITHDRAW): _S.WITHDRAWN,
    (_S.REJECTED, _A.EXPIRE): _S.EXPIRED,
}


class Given(Message, frozen=True, kw_only=True):
    """A step that was taken, on the content with this digest."""

    step: str
    by: str
    at: datetime
    digest: str


class Release(Message, frozen=True, kw_only=True):
    """One request. ``steps`` is what the policy asked for, ``given`` what counts so far."""

    id: str
    kind: str
    subject: str
    digest: str
    title: str
    exercise: bool
    incident: str | None
    steps: tuple[str, ...]
    one_person: bool
    state: ReleaseState
    given: tuple[Given, ...]
    made_by: str
    made_at: datetime
    not_after: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None
    reason: str = ""
    overridden: bool = False

    @property
    def next_step(self) -> str | None:
        """The step that is missing next."""
        if self.state is not ReleaseState.PENDING or len(self.given) >= len(self.steps):
            return None
        return self.steps[len(self.given)]


class ReleaseError(TrunklineError):
    """The request cannot go this way."""

    kind = Kind.CONFLICT
    action = Text("Look at the request again and decide anew.", "请重新查看该申请后再决定。")


class ReleaseStateError(ReleaseError):
    """The request is past this."""

    code = "release.state"
    cause = Text(
        "The request {id} is {state}: {action} is not possible.", "申请 {id} 的状态为 {state}，无法执行 {action}。"
    )


class ReleaseStepError(ReleaseError):
    """Another step is due."""

    code = "release.step"
    cause = Text("The next step of {id} is {due}, not {step}.", "申请 {id} 的下一步是 {due}，不是 {step}。")


class ReleaseDigestError(ReleaseError):
    """The content is not what the person has seen."""

    code = "release.changed"
    cause = Text("The content of {id} has changed since it was shown.", "申请 {id} 的内容在显示之后已被修改。")
    action = Text("Read the content as it is now, then take the step.", "请阅读当前内容后再操作。")


class ReleasePersonError(ReleaseError):
    """One person takes one step."""

    code = "release.same_person"
    kind = Kind.REFUSED
    cause = Text("{by} has already taken a step of {id}.", "{by} 已执行过申请 {id} 的其他步骤。")
    action = Text("Another person has to take this step.", "此步骤须由他人执行。")


def follow(release: Release, action: Action) -> ReleaseState:
    """Return the state after *action*; raise :class:`ReleaseStateError` when there is none."""
    state = TRANSITIONS.get((release.state, action))
    if state is None:
        raise ReleaseStateError(id=release.id, state=release.state.value, action=action.value)
    return state


def check_step(release: Release, *, step: str, by: str, digest: str) -> Action:
    """Return whether *step* is the last one; raise when it may not be taken."""
    follow(release, Action.STEP)
    if release.next_step != step:
        raise ReleaseStepError(id=release.id, due=release.next_step, step=step)
    if digest != release.digest:
        raise ReleaseDigestError(id=release.id)
    if not release.one_person and any(given.by == by for given in release.given):
        raise ReleasePersonError(id=release.id, by=by)
    return Action.LAST_STEP if len(release.given) + 1 == len(release.steps) else Action.STEP


def valid(given: Sequence[Given], digest: str) -> tuple[Given, ...]:
    """Return the steps that count for content with *digest*: all or none."""
    return tuple(given) if all(step.digest == digest for step in given) else ()
