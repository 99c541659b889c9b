"""A parent that keys a radio through a keyer and renews for ever, to be killed or stopped by a test."""

import asyncio
import sys

from trunks.radio.keyer_client import KeyerClient
from trunks.radio.keyer_messages import Setup


async def main() -> None:
    port, after, message = sys.argv[1:4]
    keyer = KeyerClient("radio-1", Setup("pei", port), lambda _: None)
    await keyer.start()
    for line in ("AT", "AT+CTSP=2,0,0", "AT+CTSDC=0,0,0,1,1,0,1,1,1,0,0", "AT+CTSDS=12,0,0,0,1"):
        while (await keyer.command(line)).outcome != "ok":  # noqa: ASYNC110  # the radio says when it has started
            await asyncio.sleep(0.05)
    await keyer.key("operator", "ATD1000")
    print("keyed", keyer.pid, flush=True)  # noqa: T201
    sending = None
    if message == "message":
        sending = asyncio.create_task(keyer.command("AT+CMGS=23404,32", "82100008"), name="sending")
    loop = asyncio.get_running_loop()
    end_s = loop.time() + float(after)
    while loop.time() < end_s:
        keyer.renew("operator")
        await asyncio.sleep(0.1)
    if sending is not None:
        await sending
    await keyer.unkey()
    await keyer.stop()


asyncio.run(main())
