"""Settings of alarms."""

from typing import Annotated, ClassVar, Literal

import msgspec

from gateway.core.alarm import Severity
from gateway.core.options import Options

Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
Positive = Annotated[float, msgspec.Meta(ge=1, le=86_400)]
Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of the ladder: ``after_s`` seconds without an acknowledgement, tell ``notify``.

    ``ring`` telephones ``targets`` one after the other; what a target means is known to the telephone part.
    """

    after_s: Annotated[Seconds, msgspec.Meta(description="Seconds without an acknowledgement.")]
    notify: Annotated[
        Literal["positions", "duty_leader", "ring"],
        msgspec.Meta(description="Who is told; `ring` telephones the targets one after the other."),
    ]
    targets: Annotated[
        tuple[str, ...], msgspec.Meta(description="`positions`, `duty_leader`, or numbers; for `ring` only.")
    ] = ()


RING_TARGETS = ("positions", "duty_leader")


class AlarmOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[alarms]``. A ladder is in the order of its times; it ends at the acknowledgement."""

    SECTION: ClassVar[str] = "alarms"

    critical: Annotated[tuple[Step, ...], msgspec.Meta(description="The ladder of critical alarms.")] = (
        Step(after_s=0, notify="positions"),
        Step(after_s=30, notify="duty_leader"),
        Step(after_s=60, notify="ring", targets=RING_TARGETS),
    )
    major: Annotated[tuple[Step, ...], msgspec.Meta(description="The ladder of major alarms.")] = (
        Step(after_s=0, notify="positions"),
        Step(after_s=120, notify="duty_leader"),
        Step(after_s=300, notify="ring", targets=RING_TARGETS),
    )
    warning: Annotated[tuple[Step, ...], msgspec.Meta(description="The ladder of warnings.")] = (
        Step(after_s=0, notify="positions"),
        Step(after_s=900, notify="duty_leader"),
    )
    notice: Annotated[tuple[Step, ...], msgspec.Meta(description="The ladder of notices.")] = (
        Step(after_s=0, notify="positions"),
    )

    ring_timeout_s: Annotated[Positive, msgspec.Meta(description="The longest that one telephone is tried.")] = 45.0
    ring_attempts: Annotated[Count, msgspec.Meta(description="How often each telephone is tried in one round.")] = 3
    ring_retry_s: Annotated[Positive, msgspec.Meta(description="From a failed try to the next telephone.")] = 3.0
    ring_grace_s: Annotated[
        Positive, msgspec.Meta(description="Time to acknowledge for one who has answered the telephone.")
    ] = 60.0
    ring_again_s: Annotated[
        Positive, msgspec.Meta(description="From a round that reached nobody to the next round.")
    ] = 600.0

    flap_count: Annotated[
        Annotated[int, msgspec.Meta(ge=2, le=100)],
        msgspec.Meta(description="Raised so often within flap_window_s, a condition is flapping."),
    ] = 4
    flap_window_s: Annotated[Positive, msgspec.Meta(description="The time in which raises are counted.")] = 60.0
    flap_quiet_s: Annotated[
        Positive, msgspec.Meta(description="A flapping condition is gone when it was quiet for so long.")
    ] = 60.0
    repeat_event_s: Annotated[Positive, msgspec.Meta(description="Repetitions are told once in so long.")] = 10.0

    group_above: Annotated[
        Count, msgspec.Meta(description="With more alarms than this, a source is shown as one group.")
    ] = 10
    shown_max: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=100)], msgspec.Meta(description="How many alarms the board lists.")
    ] = 40
    active_max: Annotated[
        Annotated[int, msgspec.Meta(ge=10, le=100_000)],
        msgspec.Meta(description="More alarms than this at once are only counted; critical ones have twice the room."),
    ] = 2000

    shelve_max_s: Annotated[Positive, msgspec.Meta(description="The longest that an alarm may be shelved.")] = 28_800.0
    shelve_critical_max_s: Annotated[
        Positive, msgspec.Meta(description="The longest that a critical alarm may be shelved.")
    ] = 900.0

    def ladder(self, severity: int) -> tuple[Step, ...]:
        """Return the steps for a severity."""
        return {
            Severity.CRITICAL: self.critical,
            Severity.MAJOR: self.major,
            Severity.WARNING: self.warning,
            Severity.NOTICE: self.notice,
        }[Severity(severity)]
