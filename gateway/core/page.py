"""How a feature declares its page in the console."""

from dataclasses import dataclass
from pathlib import Path

from gateway.core.ids import is_level
from gateway.core.text import Text


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the console, drawn by a plain ES module.

    ``path`` is a topic level: the page is shown at ``/#/<path>``, and the folder that holds ``module_path`` is served
    at ``/features/<path>/``. The module exports ``mount(host, context)`` and returns a function that ends what it
    began (see ``docs/explanation/console.md``). ``icon`` names an SVG file in the same folder, drawn in the colour of
    the text. ``right`` is the verb that a principal needs to be shown the page; empty shows it to everybody.
    """

    path: str
    title: Text
    module_path: Path
    icon: str
    right: str = ""

    def __post_init__(self) -> None:
        if not is_level(self.path):
            raise ValueError(f"not fit for a path: {self.path!r}")
