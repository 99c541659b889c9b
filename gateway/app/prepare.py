"""Writes what the broker and Asterisk need before they are started: their configuration and random credentials.

Blocking functions, for the command line and the stand. A credential is made once and kept in a file of mode 0600.
"""

import os
import pwd
import sys
import tempfile
from pathlib import Path

import config.asterisk.fallback
from config.asterisk.plan import AsteriskPlan, Fallback, Folders, Line, Phone, Trunk
from config.asterisk.render import write
from config.settings import Settings
from gateway.app.bus import BROKER_ADMIN, BROKER_GATEWAY
from gateway.app.contract import contract
from gateway.app.credentials import broker_paths, credentials
from gateway.app.house import open_house
from gateway.app.options import AsteriskServerOptions
from gateway.app.paths import StatePaths
from gateway.app.stand.asterisk import find_asterisk
from gateway.asterisk.options import AmiOptions, FastAgiOptions
from gateway.bus.broker import broker_configuration, digest_password, initial_security, plugin_path
from gateway.bus.dynsec import file_entries
from gateway.bus.options import BusOptions
from gateway.bus.repository import CredentialRepository
from gateway.store.errors import StoreLockedError
from trunks.telephone.options import TelephoneOptions


def ami_secret(settings: Settings, paths: StatePaths) -> str:
    """Return the secret of the manager interface: the configured one, else that of the generated Asterisk."""
    given = settings.of(AmiOptions).secret
    return given.read() if given.file or given.credential else credentials(paths).read("ami")


def asterisk_plan(settings: Settings, paths: StatePaths, *, modules: Path, data: Path, run: Path) -> AsteriskPlan:
    """Return what Asterisk is to be, from the settings. *run* is a short path for its control socket."""
    server = settings.of(AsteriskServerOptions)
    telephone = settings.of(TelephoneOptions)
    kept = credentials(paths)
    return AsteriskPlan(
        folders=Folders(
            config=paths.asterisk / "etc",
            modules=modules,
            data=data,
            state=paths.asterisk / "state",
            run=run,
            recordings=paths.recordings,
        ),
        fallback=Fallback(
            python=Path(sys.executable), script=Path(config.asterisk.fallback.__file__), snapshot=paths.snapshot
        ),
        lines=tuple(Line(line.name, line.numbers) for line in telephone.lines if line.numbers),
        phones=tuple(Phone(phone.number, kept.read(f"phone-{phone.number}")) for phone in telephone.phones),
        trunk=Trunk(server.trunk.host, server.trunk.port, server.trunk.sources),
        ami_port=settings.of(AmiOptions).port,
        ami_secret=ami_secret(settings, paths),
        ami_user=settings.of(AmiOptions).user,
        fastagi_port=settings.of(FastAgiOptions).port,
        sip_address=server.sip_address,
        sip_port=server.sip_port,
        rtp_first_port=server.rtp_first_port,
        rtp_last_port=server.rtp_last_port,
        ring_s=telephone.ring_s,
    )


async def prepare_broker(settings: Settings, paths: StatePaths) -> Path:
    """Write the private broker's configuration with the applications of the store; return its file.

    While the daemon runs, which holds the store, the broker's own file of credentials is left as it is: the daemon
    keeps it right.
    """
    options = settings.of(BusOptions)
    kept = credentials(paths)
    where = broker_paths(paths)
    gateway, admin = digest_password(kept.read(BROKER_GATEWAY)), digest_password(kept.read(BROKER_ADMIN))
    try:
        async with open_house(settings, paths, running=False) as house:
            known = await house.principals.applications.active()
            digests = await CredentialRepository(house.store).all()
    except StoreLockedError:
        if not where.security.exists():
            raise
    else:
        clients, roles = file_entries(options.site, known, digests, [spec.name for spec in contract().commands])
        security = initial_security(options.site, gateway=gateway, admin=admin, clients=clients, roles=roles)
        replace_file(where.security, security, mode=0o600)
    user = pwd.getpwuid(os.getuid()).pw_name
    text = broker_configuration(options, where, plugin_path(), user=user)
    replace_file(where.configuration, text.encode(), mode=0o600)
    return where.configuration


def prepare_asterisk(settings: Settings, paths: StatePaths) -> Path:
    """Write Asterisk's configuration for the installation that is found; return its folder."""
    installation = find_asterisk()
    run = paths.asterisk / "run"
    return write(asterisk_plan(settings, paths, modules=installation.modules, data=installation.data, run=run)).parent


def replace_file(path: Path, content: bytes, *, mode: int) -> None:
    """Replace the file at *path* whole. Raises ``OSError``."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)
