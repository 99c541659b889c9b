"""A gateway for the test of the demonstration: it lets phone 101 ring, and writes what it was asked as events."""

import asyncio
import json
import sys
from pathlib import Path


async def main(port: int, path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not (await reader.readline()).strip():
            writer.close()  # only a look whether somebody listens
            return
        while (await reader.readline()).strip():
            pass
        event = json.dumps({"time": "2026-01-01T08:09:10.123Z", "type": "tel.call_started.v1"})
        await asyncio.to_thread(path.write_text, event + "\n", encoding="utf-8")
        for name, value in {"TL_TREATMENT": "ring", "TL_PHONES": "PJSIP/101"}.items():
            writer.write(f'SET VARIABLE {name} "{value}"\n'.encode())
            await reader.readline()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
