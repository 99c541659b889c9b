"""Make Asterisk's configuration files from a plan."""

import os
import tempfile
from pathlib import Path

import jinja2

from config.asterisk.plan import UNASSIGNED_LINE, AsteriskPlan

# The order of a row of `cel-custom/trunkline.csv`; the reader of the file counts on it. Every field is quoted.
CEL_COLUMNS = (
    "eventtype",
    "eventtime",
    "uniqueid",
    "linkedid",
    "channame",
    "context",
    "exten",
    "cidnum",
    "dnid",
    "eventextra",
)

_SECRET_FILES = frozenset({"manager.conf", "pjsip.conf"})

_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=False,  # noqa: S701 - these files are not HTML; the plan has refused every value that could be syntax
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def cel_file(plan: AsteriskPlan) -> Path:
    """Return where Asterisk appends the life of every channel, one CSV row of :data:`CEL_COLUMNS` for each event."""
    return cel_file_below(plan.folders.state)


def cel_file_below(state: Path) -> Path:
    """Return the same for an Asterisk whose state lies in the folder *state*."""
    return state / "log" / "cel-custom" / "trunkline.csv"


def render(plan: AsteriskPlan) -> dict[str, str]:
    """Return the text of every configuration file by its name."""
    values = {"plan": plan, "unassigned": UNASSIGNED_LINE}
    return {
        name.removesuffix(".j2"): _environment.get_template(name).render(values)
        for name in _environment.list_templates(extensions=["j2"])
        if name.endswith(".conf.j2")
    }


def write(plan: AsteriskPlan) -> Path:
    """Write every file, make the folders that Asterisk expects, and return the path of `asterisk.conf`.

    Each file is replaced whole (written beside it, then renamed), so that a reload never reads half of one. Files with
    credentials are 0600, others 0640. Blocking. Raises ``OSError``.
    """
    folder, state = plan.folders.config, plan.folders.state
    for path in (folder, state, plan.folders.run, plan.folders.recordings):
        path.mkdir(mode=0o750, parents=True, exist_ok=True)
    for name in ("db", "keys", "spool", "log/cel-custom", "var"):
        (state / name).mkdir(mode=0o750, parents=True, exist_ok=True)
    for name, text in render(plan).items():
        _replace(folder / name, text, 0o600 if name in _SECRET_FILES else 0o640)
    return folder / "asterisk.conf"


def _replace(path: Path, text: str, mode: int) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
