"""Callers and the public network played by sipp, for calls by the number."""

from dataclasses import dataclass
from pathlib import Path

from gateway.app.stand.processes import Child, find_program

_SCENARIOS = Path(__file__).parent / "scenarios"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerSetup:
    """One run of sipp as callers. ``sound`` is raw A-law, 8 kHz, played again and again while the call is up.

    ``display_name`` is the part before the address in the From header as it goes over the wire, quotes included.
    ``options`` are more of sipp's own.
    """

    server: str
    called: str
    folder: Path
    port: int
    sound: Path
    calls: int = 1
    at_once: int = 1
    rate_per_s: float = 10.0
    talk_ms: int = 1500
    caller: str = "13800001111"
    display_name: str = '"caller"'
    address: str = "127.0.0.2"
    options: tuple[str, ...] = ()


def callers(setup: CallerSetup) -> Child:
    """Return sipp as the caller of ``calls`` calls; it ends by itself, with 0 when every call went as the scenario."""
    scenario = _prepare("caller", setup.folder, setup.sound)
    fields = setup.folder / "fields.csv"
    fields.write_text(f"SEQUENTIAL\n{setup.caller};{setup.display_name}\n", encoding="utf-8")
    command = [
        *_common(scenario, setup.address, setup.port),
        *("-inf", str(fields), "-s", setup.called, "-m", str(setup.calls), "-l", str(setup.at_once)),
        *("-r", f"{setup.rate_per_s:g}", "-d", str(setup.talk_ms), *setup.options, setup.server),
    ]
    return Child("sipp caller", command, log=setup.folder / "sipp.log", cwd=setup.folder)


def network(folder: Path, port: int, sound: Path, address: str = "127.0.0.2") -> Child:
    """Return sipp as the far end of the trunk: it answers every call and plays *sound* until the caller hangs up."""
    scenario = _prepare("network", folder, sound)
    return Child("sipp network", _common(scenario, address, port), log=folder / "sipp.log", cwd=folder)


def _prepare(name: str, folder: Path, sound: Path) -> Path:
    # sipp reads sound files while it reads the scenario, so the name must stand in it
    folder.mkdir(parents=True, exist_ok=True)
    text = (_SCENARIOS / f"{name}.xml").read_text(encoding="utf-8").replace("@SOUND@", str(sound))
    path = folder / f"{name}.xml"
    path.write_text(text, encoding="utf-8")
    return path


def _common(scenario: Path, address: str, port: int) -> list[str]:
    return [
        *(find_program("sipp"), "-sf", str(scenario), "-i", address, "-p", str(port), "-mi", address),
        *("-nostdin", "-aa", "-trace_err", "-trace_msg", "-trace_stat", "-fd", "1", "-skip_rlimit"),
    ]
