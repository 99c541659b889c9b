"""The settings of the store."""

from typing import Annotated, ClassVar

from msgspec import Meta

from gateway.core.options import Options, Secret


class StoreOptions(Options, frozen=True, kw_only=True):
    """Where state and journal are kept, and within which bounds."""

    SECTION: ClassVar[str] = "store"

    url: Annotated[
        str,
        Meta(
            description="Empty: an SQLite file in the state folder. Otherwise "
            "postgresql+psycopg://user@host:port/database, without a password"
        ),
    ] = ""
    password: Annotated[Secret, Meta(description="The password of the PostgreSQL user")] = Secret()
    journal_days: Annotated[int, Meta(description="How long published events stay for replay", ge=1, le=3650)] = 30
    group_ms: Annotated[
        int, Meta(description="How long units of work may join one commit; none waits for others to come", ge=0, le=100)
    ] = 10
    group_units: Annotated[int, Meta(description="How many units of work share one commit at most", ge=1, le=1024)] = 64
    queue_units: Annotated[
        int, Meta(description="How many units of work may wait; more are refused", ge=16, le=100_000)
    ] = 8192
    reader_threads: Annotated[int, Meta(description="How many queries run at a time", ge=1, le=32)] = 4
    connect_timeout_s: Annotated[int, Meta(description="How long one attempt to connect may take", ge=2, le=60)] = 5
    statement_timeout_s: Annotated[
        float, Meta(description="How long one query or unit of work may take", ge=0.1, le=300)
    ] = 10.0
    outage_wait_s: Annotated[
        float,
        Meta(description="How long a unit of work waits for a database that is away before it fails", ge=0, le=600),
    ] = 30.0
    min_free_mb: Annotated[
        int, Meta(description="Below this free space on the disk of SQLite, telemetry is no longer written down", ge=0)
    ] = 512
    reserve_mb: Annotated[
        int,
        Meta(description="Space kept back beside SQLite; given to it when the disk is full, so that calls go on", ge=0),
    ] = 16
