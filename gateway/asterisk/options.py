"""Settings of the Asterisk side."""

from typing import Annotated, ClassVar

from msgspec import Meta

from gateway.core.options import Options, Secret

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=3600)]


class AmiOptions(Options, frozen=True):
    """How the gateway reaches Asterisk's manager interface."""

    SECTION: ClassVar[str] = "asterisk.ami"

    host: Annotated[str, Meta(description="Address of Asterisk. Not encrypted: keep it on loopback.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port of the manager interface.")] = 5038
    user: Annotated[str, Meta(description="User in manager.conf.")] = "trunkline"
    secret: Annotated[Secret, Meta(description="Where that user's secret is kept.")] = Secret()
    challenge: Annotated[bool, Meta(description="Log in by MD5 challenge, so that the secret is never sent.")] = True
    login_timeout_s: Annotated[Seconds, Meta(description="Time to connect, and again to log in.")] = 5.0
    boot_timeout_s: Annotated[Seconds, Meta(description="Time for Asterisk to be fully booted after the login.")] = 60.0
    adopt_timeout_s: Annotated[Seconds, Meta(description="Time to take over the live calls after a login.")] = 30.0
    ping_interval_s: Annotated[Seconds, Meta(description="Rest between two pings.")] = 5.0
    ping_timeout_s: Annotated[Seconds, Meta(description="A ping not answered in this time ends the session.")] = 3.0


class FastAgiOptions(Options, frozen=True):
    """Where the dialplan asks the gateway."""

    SECTION: ClassVar[str] = "asterisk.fastagi"

    host: Annotated[str, Meta(description="Address to listen on. FastAGI has no sign-in: keep it on loopback.")] = (
        "127.0.0.1"
    )
    port: Annotated[Port, Meta(description="Port to listen on; 0 takes a free one.")] = 4573
    sessions_limit: Annotated[
        int, Meta(ge=1, le=10000, description="Sessions at a time; one more is closed, and the dialplan falls back.")
    ] = 256
    request_timeout_s: Annotated[
        Seconds, Meta(description="Time for a new connection to send its request, against port scans.")
    ] = 2.0
    command_timeout_s: Annotated[
        Seconds, Meta(description="Time for the reply to a command that does not wait for the caller.")
    ] = 5.0
    session_timeout_s: Annotated[Seconds, Meta(description="Longest session.")] = 600.0


class CelOptions(Options, frozen=True):
    """Where Asterisk writes its channel events."""

    SECTION: ClassVar[str] = "asterisk.cel"

    path: Annotated[str, Meta(description="The CSV file of cel_custom; empty: that of the Asterisk that is run.")] = ""
    interval_s: Annotated[Seconds, Meta(description="Rest between two looks at the file.")] = 0.5
