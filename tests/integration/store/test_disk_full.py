"""SQLite on a disk that is truly full: a small tmpfs in a mount namespace of the child's own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

_CHILD = Path(__file__).with_name("disk_full_child.py")


@pytest.fixture(scope="module")
def disk_full(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("disk")
    namespace = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--user", "--map-root-user"])
    script = 'mount -t tmpfs -o size=4m,mode=0700 tmpfs "$1" && exec "$2" "$3" "$1"'
    done = subprocess.run(
        [*namespace, "sh", "-c", script, "sh", folder, sys.executable, _CHILD],
        cwd=_CHILD.parents[3],
        env=os.environ | {"PYTHONPATH": str(_CHILD.parents[3])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_telemetry_is_left_out_before_the_disk_is_full(disk_full: dict[str, Any]) -> None:
    assert disk_full["telemetry_before"] == 1
    assert disk_full["telemetry_when_short"] == 0
    assert disk_full["shed_events"] > 0


def test_calls_go_on_from_the_reserve_when_others_have_filled_the_disk(disk_full: dict[str, Any]) -> None:
    assert disk_full["free_when_filled"] == 0
    assert disk_full["call_from_the_reserve"] == "ok"


def test_at_last_each_unit_is_told_that_the_disk_is_full(disk_full: dict[str, Any]) -> None:
    assert disk_full["at_last"] == "store.full"
    assert disk_full["reading_goes_on"] is True


def test_with_room_again_it_goes_on_without_a_gap(disk_full: dict[str, Any]) -> None:
    assert disk_full["after"] == "ok"
    assert disk_full["whole"] is True
    assert disk_full["reserve_kept_again"] is True
