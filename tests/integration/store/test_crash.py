"""The gateway is killed while it writes."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from gateway.store.options import StoreOptions
from tests.integration.store.conftest import Opened
from tests.support.ledger import assert_whole, entries

pytestmark = pytest.mark.integration

_CHILD = Path(__file__).with_name("crash_child.py")


def _run_and_kill(folder: Path, options: StoreOptions, run: str, *, after: int) -> list[str]:
    """Return the units that the child knew to be durable; it is killed right after it has told *after* of them."""
    command = [sys.executable, str(_CHILD), str(folder), msgspec.json.encode(options).decode(), run]
    environment = os.environ | {"PYTHONPATH": str(_CHILD.parents[3])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        told = [child.stdout.readline().rstrip("\n") for _ in range(after)]
        child.kill()
        told += child.stdout.read().splitlines()[:-1]  # the last line may have been cut off
    assert all(told), "the child ended by itself"
    return told


async def test_nothing_told_to_be_durable_is_lost_by_a_kill_and_no_number_is_missing(
    opened: Opened, options: StoreOptions, tmp_path: Path
) -> None:
    durable: set[str] = set()
    for number, after in enumerate((1, 37, 200, 443)):
        durable.update(_run_and_kill(tmp_path / "state", options, f"run{number}", after=after))
    async with opened() as store:
        assert store.epoch == 5
        assert durable <= set(await entries(store))
        await assert_whole(store)
