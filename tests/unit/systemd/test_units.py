"""The units are understood by systemd, and hardened."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).parents[3] / "systemd").glob("*.service"))
MOST_EXPOSED = 2.0  # of 10; `systemd-analyze security` counts what a unit could do


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with programs that are there: `verify` asks for them, and this machine has no installation."""
    for unit in UNITS:
        text = re.sub(r"(?m)^(ExecStart(?:Pre)?=)\S+", rf"\1{shutil.which('true')}", unit.read_text())
        (tmp_path / unit.name).write_text(text)
    return tmp_path


def test_units_are_clean(units: Path):
    paths = [units / unit.name for unit in UNITS]
    answer = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True, timeout=60, check=False
    )
    told = [line for line in answer.stderr.splitlines() if any(unit.name in line for unit in UNITS)]
    assert (answer.returncode, told) == (0, []), answer.stderr


@pytest.mark.parametrize("name", [unit.name for unit in UNITS])
def test_units_are_hardened(units: Path, name: str):
    answer = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", units / name],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", answer.stdout)
    assert exposure is not None, answer.stdout + answer.stderr
    assert float(exposure[1]) <= MOST_EXPOSED


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_what_matters_is_said(unit: Path):
    text = unit.read_text()
    assert "Type=notify" in text
    assert "Restart=always" in text
    assert "StartLimitIntervalSec=0" in text
