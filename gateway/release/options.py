"""Settings of releases: who has to do what before a thing goes out."""

from typing import Annotated, ClassVar, Literal

import msgspec

from gateway.core.options import Options

StepName = Literal["make", "review", "sign", "publish"]
STEP_ORDER: tuple[StepName, ...] = ("make", "review", "sign", "publish")


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The way of one kind of thing: its steps in order, and whether one person may take several of them.

    A step ``review`` needs the right ``ops.release_review`` on the kind. Without a time of its own a request lapses
    after ``not_after_s``.
    """

    steps: Annotated[
        tuple[StepName, ...], msgspec.Meta(min_length=1, max_length=4, description="Who has to act, in this order.")
    ] = ("make", "review", "publish")
    one_person: Annotated[bool, msgspec.Meta(description="Whether one person may take several steps.")] = False
    not_after_s: Annotated[
        float, msgspec.Meta(ge=60, le=2_592_000, description="A request without a time of its own lapses after this.")
    ] = 86_400.0

    def __post_init__(self) -> None:
        places = [STEP_ORDER.index(step) for step in self.steps]
        if places != sorted(set(places)) or self.steps[0] != "make":
            raise ValueError("steps begin with make, and come once each in the order make, review, sign, publish")


DEFAULT_POLICIES: dict[str, Policy] = {
    "sms": Policy(steps=("make", "review", "publish")),
    "fax": Policy(steps=("make", "sign")),
}


class ReleaseOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[release]``."""

    SECTION: ClassVar[str] = "release"

    policies: Annotated[dict[str, Policy], msgspec.Meta(description="The policy of each kind, by the kind's name.")] = (
        msgspec.field(default_factory=lambda: dict(DEFAULT_POLICIES))
    )
    fallback: Annotated[Policy, msgspec.Meta(description="The policy of a kind that has none of its own.")] = Policy(
        steps=STEP_ORDER
    )
    exercise_mark: Annotated[
        Annotated[str, msgspec.Meta(min_length=1, max_length=16)],
        msgspec.Meta(description="What the text of an exercise has to begin with."),
    ] = "【演练】"

    def policy(self, kind: str) -> Policy:
        """Return the policy of a kind."""
        return self.policies.get(kind, self.fallback)
