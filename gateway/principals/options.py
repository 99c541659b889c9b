"""Settings of sign-in, sessions and credentials."""

from typing import Annotated, ClassVar

import msgspec

from gateway.core.options import Options


class PrincipalsOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sign-in, sessions and credentials."""

    SECTION: ClassVar[str] = "principals"

    session_idle_s: Annotated[
        float,
        msgspec.Meta(ge=60, description="A session ends after this time without use; each use begins it anew."),
    ] = 43_200.0
    session_longest_s: Annotated[
        float,
        msgspec.Meta(
            ge=60, description="A session ends after this time in any case: a 24-hour watch and its handover."
        ),
    ] = 93_600.0
    sessions_per_operator: Annotated[
        int, msgspec.Meta(ge=1, le=100, description="The oldest session ends when an operator begins one more.")
    ] = 8
    application_secret_s: Annotated[
        float,
        msgspec.Meta(ge=0, description="An application's secret is good for this time; 0: until it is rotated."),
    ] = 0.0
    lockout_failures: Annotated[
        int, msgspec.Meta(ge=1, description="Wrong passwords in a row, for one name from one place, before the wait.")
    ] = 5
    lockout_s: Annotated[
        float, msgspec.Meta(ge=1, description="How long that name is refused from that place afterwards.")
    ] = 60.0
    argon2_time_cost: Annotated[int, msgspec.Meta(ge=1, description="Passes of argon2id.")] = 3
    argon2_memory_kib: Annotated[int, msgspec.Meta(ge=8, description="Memory of argon2id for one password.")] = 65_536
    argon2_parallelism: Annotated[int, msgspec.Meta(ge=1, le=16, description="Lanes of argon2id.")] = 1
    password_checks_at_once: Annotated[
        int, msgspec.Meta(ge=1, le=16, description="Passwords hashed at the same time, each in a thread.")
    ] = 2
