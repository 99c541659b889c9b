"""The texts of the console: the same in both languages, and none that is asked for is missing."""

import importlib.resources
import json
import re

import pytest

STATIC = importlib.resources.files("gateway.web") / "static"
ZH = json.loads((STATIC / "messages/zh.json").read_text("utf-8"))
EN = json.loads((STATIC / "messages/en.json").read_text("utf-8"))
SCRIPTS = {entry.name: entry.read_text("utf-8") for entry in (STATIC / "js").iterdir()}
# Keys that are put together: the part before the placeholder has to be that of some text.
_ASKED = re.compile(r"""\bt\(\s*(?:"([a-z_.]+)"|`([a-z_.]+)\$\{)""")


def test_both_languages_have_the_same_keys_in_the_same_order():
    assert list(ZH) == list(EN)


@pytest.mark.parametrize("key", sorted(ZH))
def test_both_languages_have_the_same_placeholders(key):
    assert set(re.findall(r"\{(\w+)\}", ZH[key])) == set(re.findall(r"\{(\w+)\}", EN[key]))
    assert ZH[key].strip()
    assert EN[key].strip()


def test_every_text_that_the_page_asks_for_is_there():
    asked = [(name, whole or start) for name, text in SCRIPTS.items() for whole, start in _ASKED.findall(text)]
    assert len(asked) > 40
    for name, key in asked:
        assert key in ZH or any(each.startswith(key) for each in ZH if key.endswith(".")), f"{key} in {name}"


def test_the_page_holds_no_markup_strings_and_nothing_from_elsewhere():
    html = (STATIC / "index.html").read_text("utf-8")
    for name, text in {**SCRIPTS, "index.html": html}.items():
        for forbidden in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "eval(",
            "document.write",
            "https://",
            "<style",
        ):
            assert forbidden not in text, f"{forbidden} in {name}"
    assert not re.search(r"\son\w+=|style=|<script(?![^>]*src=)", html)
