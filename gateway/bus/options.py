"""Settings of the bus."""

from typing import Annotated, ClassVar, Literal

import msgspec

from gateway.core.ids import LEVEL_PATTERN
from gateway.core.options import Options, Secret

_Level = Annotated[str, msgspec.Meta(pattern=rf"^{LEVEL_PATTERN.pattern}$")]


class ListenerOptions(Options, frozen=True, kw_only=True):
    """Where the private broker listens for other programs besides its unix socket."""

    loopback_port: Annotated[
        int, msgspec.Meta(ge=0, le=65535, description="Port on 127.0.0.1 without TLS; 0 is off. Passwords are needed.")
    ] = 0
    tls_port: Annotated[int, msgspec.Meta(ge=0, le=65535, description="Port with TLS; 0 is off.")] = 0
    tls_address: Annotated[str, msgspec.Meta(description="Address of the TLS listener.")] = "0.0.0.0"  # noqa: S104
    certificate_file: Annotated[str, msgspec.Meta(description="Certificate chain of the TLS listener, PEM.")] = ""
    key_file: Annotated[str, msgspec.Meta(description="Its private key, PEM, readable by the broker only.")] = ""


class BusOptions(Options, frozen=True, kw_only=True):
    """The MQTT bus: which broker, and the bounds of the connection to it."""

    SECTION: ClassVar[str] = "bus"

    site: Annotated[_Level, msgspec.Meta(description="Name of this site, a level of every topic.")] = "main"
    broker: Annotated[
        Literal["private", "external"],
        msgspec.Meta(description="`private` starts an own mosquitto; `external` uses the broker at host and port."),
    ] = "private"
    host: Annotated[str, msgspec.Meta(description="Host of the external broker.")] = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535, description="Port of the external broker.")] = 8883
    tls: Annotated[bool, msgspec.Meta(description="Whether the external broker is spoken to over TLS.")] = True
    ca_file: Annotated[str, msgspec.Meta(description="Certificates to trust, PEM; empty trusts the system's.")] = ""
    user: Annotated[str, msgspec.Meta(description="User at the external broker.")] = ""
    password: Annotated[Secret | None, msgspec.Meta(description="Its password.")] = None
    client_id: Annotated[
        str,
        msgspec.Meta(
            max_length=64,
            description="Stable client id. Empty: `trunkline-<site>`, at the private broker with a secret end.",
        ),
    ] = ""
    keepalive_s: Annotated[int, msgspec.Meta(ge=2, le=600, description="MQTT keep-alive.")] = 15
    heartbeat_s: Annotated[
        float, msgspec.Meta(ge=0.2, le=300, description="Time between two leases; a lease expires after three.")
    ] = 10.0
    deadline_s: Annotated[
        float, msgspec.Meta(ge=0.2, le=120, description="Longest wait for the broker's answer to anything.")
    ] = 10.0
    session_expiry_s: Annotated[
        int, msgspec.Meta(ge=0, le=2_592_000, description="How long the broker keeps commands for an absent gateway.")
    ] = 3600
    publish_window: Annotated[
        int, msgspec.Meta(ge=1, le=1000, description="Publications that may wait for their acknowledgement at once.")
    ] = 128
    settle_s: Annotated[
        float,
        msgspec.Meta(
            ge=0, le=300, description="How long the broker may take to write down what it confirmed; see decision 0005."
        ),
    ] = 5.0
    receive_window: Annotated[
        int, msgspec.Meta(ge=4, le=1000, description="Commands that may wait for the ledger at once.")
    ] = 64
    max_packet_bytes: Annotated[
        int, msgspec.Meta(ge=4096, le=268_435_455, description="Largest MQTT packet that is sent or taken.")
    ] = 65536
    listener: Annotated[ListenerOptions, msgspec.Meta(description="Other programs' way to the private broker.")] = (
        ListenerOptions()
    )

    @property
    def stable_client_id(self) -> str:
        """The client id under which the broker keeps the session."""
        return self.client_id or f"trunkline-{self.site}"
