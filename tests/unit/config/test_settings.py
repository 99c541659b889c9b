from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from config.settings import InvalidConfigurationError, load
from gateway.core.options import Options


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    number: str
    priority: int = 0


class PhoneOptions(Options, frozen=True, kw_only=True):
    SECTION: ClassVar[str] = "telephone"
    ring_s: float = 15.0
    lines: list[Line] = []
    names: dict[str, Line] = {}


class WebOptions(Options, frozen=True, kw_only=True):
    SECTION: ClassVar[str] = "web"
    port: int = 8080
    host: str = "127.0.0.1"


SECTIONS = (PhoneOptions, WebOptions)


def read(folder: Path, text: str, environment: dict[str, str] | None = None):
    file = folder / "trunkline.toml"
    file.write_text(text, encoding="utf-8")
    return load(SECTIONS, file=file, environment=environment or {})


def problems(folder: Path, text: str, environment: dict[str, str] | None = None) -> list[tuple[str, str]]:
    with pytest.raises(InvalidConfigurationError) as caught:
        read(folder, text, environment)
    return [(problem.code, problem.message()) for problem in caught.value.problems]


def test_defaults_stand_without_a_file():
    assert load(SECTIONS, file=None, environment={}).of(WebOptions) == WebOptions()


def test_environment_beats_conf_d_beats_file(tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "20-b.toml").write_text("[web]\nport = 3\n")
    (tmp_path / "conf.d" / "10-a.toml").write_text("[web]\nport = 2\nhost = 'a'\n")
    settings = read(tmp_path, "[web]\nport = 1\n")
    assert settings.of(WebOptions) == WebOptions(port=3, host="a")
    settings = read(tmp_path, "", {"TRUNKLINE_WEB__PORT": "4", "TRUNKLINE_WEB__HOST": "::1", "PATH": "x"})
    assert settings.of(WebOptions) == WebOptions(port=4, host="::1")


def test_unknown_key_is_told_with_a_suggestion(tmp_path):
    assert problems(tmp_path, "[web]\nprot = 1\n") == [
        ("settings.unknown_key", "trunkline.toml: there is no setting web.prot. Did you mean 'port'?")
    ]


def test_unknown_keys_are_found_inside_lists_and_tables(tmp_path):
    found = problems(
        tmp_path,
        "[[telephone.lines]]\nnumber = '1'\nprio = 2\n[telephone.names.a]\nnumber='1'\nnumbr='2'\n[telefone]\nx=1\n",
    )
    assert [text.split(" ")[5].rstrip(".") for _, text in found] == [
        "telephone.lines[0].prio",
        "telephone.names.a.numbr",
        "telefone",
    ]


def test_all_problems_are_told_at_once_and_in_chinese(tmp_path):
    found = problems(tmp_path, "[web]\nport = 'x'\n[telephone]\nring_s = []\n")
    assert [code for code, _ in found] == ["settings.invalid_value"] * 2
    assert "telephone.ring_s" in found[0][1]
    with pytest.raises(InvalidConfigurationError) as caught:
        read(tmp_path, "[web]\nprot = 1\n")
    assert "是否应为 'port'？" in caught.value.problems[0].message("zh")


def test_environment_with_an_unknown_key_is_an_error(tmp_path):
    [(code, text)] = problems(tmp_path, "", {"TRUNKLINE_WEB__PROT": "1"})
    assert code == "settings.unknown_key"
    assert text.startswith("TRUNKLINE_WEB__PROT:")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[web\n", b"a = 1\na = 2\n"])
def test_a_file_that_is_not_toml_is_told(tmp_path, content):
    file = tmp_path / "trunkline.toml"
    file.write_bytes(content)
    with pytest.raises(InvalidConfigurationError) as caught:
        load(SECTIONS, file=file, environment={})
    assert caught.value.problems[0].code == "settings.unreadable"


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InvalidConfigurationError, match=r"settings\.unreadable"):
        load(SECTIONS, file=tmp_path / "none.toml", environment={})
