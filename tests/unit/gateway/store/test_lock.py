import os
from pathlib import Path

import pytest

from gateway.store.errors import StoreLockedError, StoreUnavailableError
from gateway.store.lock import ExclusiveLock


def test_only_one_holds_it_and_the_other_learns_who(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with ExclusiveLock(folder), pytest.raises(StoreLockedError, match=f"pid {os.getpid()}"):
        ExclusiveLock(folder).acquire()
    with ExclusiveLock(folder):
        assert (folder / "lock").stat().st_mode & 0o777 == 0o600
        assert folder.stat().st_mode & 0o777 == 0o700


def test_releasing_twice_is_harmless(tmp_path: Path) -> None:
    lock = ExclusiveLock(tmp_path)
    lock.acquire()
    lock.release()
    lock.release()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailableError, match="file"):
        ExclusiveLock(tmp_path / "file").acquire()
