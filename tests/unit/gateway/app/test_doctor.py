import socket
from pathlib import Path

import pytest

from config.settings import load
from gateway.app import doctor
from gateway.app.credentials import broker_paths
from gateway.app.paths import StatePaths
from gateway.app.sections import SECTIONS
from gateway.bus import probe
from gateway.core.text import Text


@pytest.fixture
def paths(tmp_path: Path) -> StatePaths:
    made = StatePaths(tmp_path / "state")
    made.create()
    return made


@pytest.fixture
def settings():
    return load(SECTIONS, file=None, environment={})


@pytest.mark.parametrize(
    ("good", "needed", "level", "word"),
    [(True, True, "ok", "ok  "), (False, False, "warning", "WARN"), (False, True, "failure", "FAIL")],
)
def test_what_is_not_good_is_never_called_ok(good: bool, needed: bool, level: str, word: str) -> None:  # noqa: FBT001
    found = doctor.Finding("broker", good=good, needed=needed, detail=Text("window of 4", "窗口 4"))
    assert (found.level, found.as_dict("en")["level"], found.as_dict("en")["good"]) == (level, level, good)
    assert found.line("zh") == f"{word} broker     窗口 4"


async def test_a_socket_that_a_killed_daemon_left_holds_no_store(settings, paths: StatePaths, monkeypatch) -> None:
    monkeypatch.chdir(paths.root)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(paths.socket.name)
    monkeypatch.setattr(doctor, "status_of", lambda _: None)  # what a stale socket comes to, without its leaked handle
    (found,) = await doctor._store(settings, paths)
    assert found.good
    assert found.detail.en.startswith("SQLite: opened and written")


async def test_the_private_brokers_persistence_is_looked_at_and_what_is_poor_is_a_warning(
    settings, paths: StatePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(_: probe.BrokerProbe) -> list[probe.Finding]:
        return [probe.Finding("window", False, False, Text("window of 4", "窗口 4"))]

    monkeypatch.setattr(probe.BrokerProbe, "run", run)
    configuration = broker_paths(paths).configuration
    configuration.parent.mkdir(exist_ok=True)
    configuration.write_text("persistence false\n")
    found = await doctor._broker(settings, paths)
    assert [one.level for one in found] == ["warning", "failure"]
    assert found[1].detail.en == "forgets its queues in a crash"
