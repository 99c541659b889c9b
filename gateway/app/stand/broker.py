"""A private mosquitto, run from a configuration file that is made elsewhere."""

import asyncio
from pathlib import Path

from gateway.app.stand.processes import Child, find_program


def broker_child(config: Path, log: Path) -> Child:
    """Return mosquitto on *config*.

    The file must name the present user (``user root`` where this is root): mosquitto otherwise changes to a user of its
    own, cannot read the private files, and loses its bond to this process. Its socket is made with mode 0770.
    """
    return Child("mosquitto", [find_program("mosquitto"), "-c", config], log=log, umask=0o007)


async def accepts_local(path: Path) -> bool:
    """Tell whether something accepts connections on the unix socket at *path*, within a second."""
    try:
        async with asyncio.timeout(1.0):
            _, writer = await asyncio.open_unix_connection(str(path))
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
