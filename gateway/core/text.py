"""Text in the two languages of the duty room."""

from dataclasses import dataclass
from typing import Any, Literal

Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in English and in Chinese; both may hold the same ``{placeholders}``.

    A placeholder may be filled by another text: each language then gets its own.
    """

    en: str
    zh: str

    def in_language(self, language: Language, **fields: Any) -> str:
        """Return the sentence in *language* with its placeholders filled in."""
        template = self.zh if language == "zh" else self.en
        if not fields:
            return template
        filled = {
            name: value.in_language(language) if isinstance(value, Text) else value for name, value in fields.items()
        }
        return template.format(**filled)
