"""A segment in a folder: one file for each array, mapped into memory when it is opened."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import numpy as np

from gateway.core.ids import new_id
from gateway.directory.columns import Column, Postings
from gateway.directory.contact import OrgUnit
from gateway.directory.readings import FINGERPRINT
from gateway.directory.segment import LAYOUT, Segment

_FORMAT = 1
_MADE_OF = f"{FINGERPRINT} {LAYOUT}"
_STAMP = "stamp.json"
_UNITS = "units.msgpack"
_TYPES = get_type_hints(Segment)


def save(segment: Segment, folder: Path, covers: str, units: Mapping[str, OrgUnit]) -> None:
    """Write *segment* and its units below *folder* and remove older ones. *covers* names the state that they show.

    The new one is complete before it gets its name, so that a crash leaves the old one or the new one. The files are
    derived from the store and are not forced to the disk: a torn one is seen by its sizes and made anew.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    old = [path for path in folder.iterdir() if path.is_dir()]
    target = folder / f"tmp-{new_id()}"
    target.mkdir(mode=0o700)
    sizes: dict[str, int] = {}
    for name, array in _arrays(segment):
        path = target / f"{name}.npy"
        np.save(path, array, allow_pickle=False)
        path.chmod(0o600)
        sizes[name] = path.stat().st_size
    path = target / _UNITS
    path.write_bytes(msgspec.msgpack.encode(list(units.values())))
    path.chmod(0o600)
    stamp = {"format": _FORMAT, "made_of": _MADE_OF, "covers": covers, "sizes": sizes}
    (target / _STAMP).write_text(json.dumps(stamp), encoding="utf-8")
    target.rename(folder / f"index-{new_id()}")
    for path in old:
        shutil.rmtree(path)


def load(folder: Path) -> tuple[Segment, str, dict[str, OrgUnit]] | None:
    """Return the newest segment below *folder*, what it covers, and its units; None when none can be read."""
    for path in sorted(folder.glob("index-*"), reverse=True):
        try:
            stamp = json.loads((path / _STAMP).read_text(encoding="utf-8"))
            if stamp["format"] != _FORMAT or stamp["made_of"] != _MADE_OF:
                continue
            if any((path / f"{name}.npy").stat().st_size != size for name, size in stamp["sizes"].items()):
                continue
            units = msgspec.msgpack.decode((path / _UNITS).read_bytes(), type=list[OrgUnit])
            return _read(path), str(stamp["covers"]), {unit.name: unit for unit in units}
        except (
            OSError,
            ValueError,
            KeyError,
            msgspec.MsgspecError,
        ):  # not whole, or of another program: it is made anew
            continue
    return None


def _arrays(segment: Segment) -> list[tuple[str, Any]]:
    result: list[tuple[str, Any]] = []
    for name, value in segment._asdict().items():
        if isinstance(value, Column | Postings):
            result += [(f"{name}.{part}", array) for part, array in value._asdict().items()]
        elif isinstance(value, tuple):
            for place, one in enumerate(value):
                result += [(f"{name}.{place}.{part}", array) for part, array in one._asdict().items()]
        else:
            result.append((name, value))
    return result


def _read(path: Path) -> Segment:
    def array(name: str) -> Any:
        file = path / f"{name}.npy"
        small = file.stat().st_size < 4096  # nothing cannot be mapped
        whole = np.load(file, mmap_mode=None if small else "r", allow_pickle=False)
        return np.asarray(whole)  # a plain view: the mapping's own class is slow in small steps

    def part(kind: Any, name: str) -> Any:
        return kind(*(array(f"{name}.{field}") for field in kind._fields))

    values: dict[str, Any] = {}
    for name, kind in _TYPES.items():
        if kind in {Column, Postings}:
            values[name] = part(kind, name)
        elif name in {"text_fields", "number_fields"}:
            count = len(list(path.glob(f"{name}.*.start.npy")))
            values[name] = tuple(part(Postings, f"{name}.{place}") for place in range(count))
        else:
            values[name] = array(name)
    return Segment(**values)
