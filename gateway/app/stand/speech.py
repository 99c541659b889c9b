"""Spoken sound for demonstrations and tests: 8 kHz mono files, as a telephone carries them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from gateway.app.stand.processes import Child, find_program

SPEAK_DEADLINE_S = 30.0

# Mandarin's "cmn" needs no further voice data.
EMERGENCY_CALL = (
    ("cmn", "你好，城关镇西街十八号老粮站着火了，二楼还有人。"),
    ("en", "Fire at the old granary, number eighteen, West Street. There are people on the second floor."),
)
OPERATOR_ANSWER = (
    ("cmn", "一一九指挥中心，请讲。"),
    ("en", "Fire and rescue command centre, go ahead please."),
)


async def speak(path: Path, sentences: Sequence[tuple[str, str]]) -> Path:
    """Write *sentences* (voice, text), spoken one after another, as 16-bit 8 kHz mono WAV, and return its path.

    Raises :class:`ProgramMissingError` or :class:`ProgramFailedError`.
    """
    espeak, sox = find_program("espeak-ng"), find_program("sox")
    log = path.with_suffix(".log")
    parts: list[Path] = []
    try:
        for index, (voice, text) in enumerate(sentences):
            part = path.with_suffix(f".{index}.wav")
            parts.append(part)
            await _run("espeak-ng", [espeak, "-v", voice, "-s", "150", "-w", str(part), text], log)
        telephone = ["-r", "8000", "-c", "1", "-b", "16", str(path), "pad", "0.3", "0.6"]
        await _run("sox", [sox, *map(str, parts), *telephone], log)
    finally:
        for part in parts:
            await asyncio.to_thread(part.unlink, missing_ok=True)
    return path


async def _run(name: str, command: Sequence[str], log: Path) -> None:
    child = Child(name, command, log=log)
    await child.start()
    try:
        await child.check(SPEAK_DEADLINE_S)
    finally:
        await child.stop()


async def raw_alaw(path: Path) -> Path:
    """Write the WAV file *path* beside it as raw A-law, as sipp plays it, and return the new path."""
    raw = path.with_suffix(".alaw")
    await _run("sox", [find_program("sox"), str(path), "-t", "al", str(raw)], path.with_suffix(".log"))
    return raw
