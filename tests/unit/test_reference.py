"""The documentation cannot drift from the code: generated pages are equal, and everything is documented."""

import json
import re
from pathlib import Path

import pytest

from gateway.app import reference
from gateway.app.contract import contract
from gateway.app.sections import SECTIONS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])
LINK = re.compile(r"(?<!\\)!?\[[^\]]*\]\(([^)\s]+)\)|<(?:img|source)[^>]+(?:src|srcset)=\"([^\"]+)\"")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def generated():
    return reference.pages()


def errors():
    reference.import_everything()
    return sorted(reference.product_errors().items())


def test_the_generated_pages_are_those_of_the_code(generated):
    stale = [
        name for name, text in generated.items() if (DOCS / "reference" / name).read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run: python -m gateway.app.reference docs/reference"


def test_the_pages_are_the_same_each_time_and_tell_nothing_of_the_machine(generated, monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    monkeypatch.setenv("COLUMNS", "61")
    assert reference.pages() == generated
    for name, text in generated.items():
        assert str(ROOT) not in text, name
        assert str(Path.home()) + "/" not in text, name


def test_every_error_is_told_in_both_languages():
    for code, leaf in errors():
        assert code, leaf
        for text in (leaf.cause, leaf.action):
            assert text.en, code
            assert text.zh, code
            assert text.zh.startswith("{") or re.search("[\u4e00-\u9fff]", text.zh), code


def test_every_setting_is_explained(generated):
    page = generated["settings.md"]
    assert [section.SECTION for section in SECTIONS if f"\n## [{section.SECTION}]\n" not in page] == []
    unexplained = [line for line in page.splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert unexplained == []


def test_every_event_and_command_has_its_section(generated):
    assert [one.TYPE for one in contract().events if f"\n## {one.TYPE}\n" not in generated["events.md"]] == []
    assert [one.name for one in contract().commands if f"\n## {one.name}\n" not in generated["command-list.md"]] == []
    unsaid = [one.name for one in contract().commands if not (one.summary.en and one.summary.zh)]
    assert unsaid == []


def test_every_metric_is_documented():
    page = (DOCS / "reference" / "metrics.md").read_text(encoding="utf-8")
    sources = [*ROOT.glob("gateway/**/*.py"), *ROOT.glob("trunks/**/*.py")]
    names = {
        name for file in sources for name in re.findall(r'"(trunkline_[a-z_]+)"', file.read_text(encoding="utf-8"))
    }
    assert len(names) > 10
    assert sorted(name for name in names if f"`{name}" not in page) == []


def test_every_exit_code_is_documented():
    from gateway.core.errors import Kind

    page = (DOCS / "reference" / "exit-codes.md").read_text(encoding="utf-8")
    assert [kind.name for kind in Kind if f"| {kind.exit_code} |" not in page] == []


def test_every_adapter_has_a_name_in_both_languages(generated):
    page = (DOCS / "how-to" / "when-a-part-is-degraded.md").read_text(encoding="utf-8")
    adapters = set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE))
    for language in ("zh", "en"):
        texts = json.loads((ROOT / f"gateway/web/static/messages/{language}.json").read_text(encoding="utf-8"))
        assert sorted(name for name in adapters if f"adapter.{name}" not in texts) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for groups in LINK.findall(text):
        target = groups[0] or groups[1]
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def anchors(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("kind", ["tutorial", "how-to", "reference", "explanation", "decisions"])
def test_every_page_is_listed(kind):
    listed = (DOCS / ("decisions/README.md" if kind == "decisions" else "README.md")).read_text(encoding="utf-8")
    prefix = "" if kind == "decisions" else f"{kind}/"
    pages = [page.name for page in (DOCS / kind).iterdir() if page.name != "README.md"]
    assert pages
    assert sorted(name for name in pages if f"({prefix}{name})" not in listed) == []
