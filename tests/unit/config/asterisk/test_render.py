import re
import stat
from pathlib import Path

import pytest

from config.asterisk.plan import AsteriskPlan, Fallback, Folders, Line, Phone, Trunk
from config.asterisk.render import CEL_COLUMNS, cel_file, render, write


@pytest.fixture
def plan(tmp_path: Path) -> AsteriskPlan:
    return AsteriskPlan(
        folders=Folders(
            config=tmp_path / "etc",
            modules=Path("/usr/lib/asterisk/modules"),
            data=Path("/usr/share/asterisk"),
            state=tmp_path / "state",
            run=Path("/tmp") / "tl-unit" if len(str(tmp_path)) > 70 else tmp_path / "run",
            recordings=tmp_path / "recordings",
        ),
        fallback=Fallback(Path("/srv/bin/python"), Path("/srv/fallback.py"), tmp_path / "snapshot.json"),
        lines=(Line("line-1", ("88110001", "+862888110001")), Line("line-2", ("88110002",))),
        phones=(Phone("101", "p" * 20), Phone("102", "q" * 20)),
        trunk=Trunk("192.0.2.1", 5060, ("192.0.2.1",)),
        ami_port=5038,
        ami_secret="s" * 20,
    )


def _extensions(text: str) -> dict[str, list[str]]:
    contexts: dict[str, list[str]] = {}
    for line in text.splitlines():
        if match := re.fullmatch(r"\[(.+)\]", line):
            contexts[match[1]] = []
        elif match := re.match(r"exten => ([^,]+),1,", line):
            contexts[list(contexts)[-1]].append(match[1])
    return contexts


def test_every_number_has_its_line_and_every_other_is_unassigned(plan):
    text = render(plan)["extensions.conf"]
    assert _extensions(text)["tl-incoming"][:3] == ["88110001", "+862888110001", "88110002"]
    assert "exten => 88110002,1,Set(__TL_LINE=line-2)" in text
    assert "exten => s,1,Set(__TL_LINE=line-unassigned)" in text


def test_the_recording_starts_before_anything_is_asked(plan):
    text = render(plan)["extensions.conf"]
    arrival = text[text.index("[tl-arrival]") : text.index("[tl-fallback]")]
    assert arrival.index("MixMonitor(") < arrival.index("AGI(")
    assert re.search(
        r"exten => s,1,MixMonitor\(,r\(\S+\$\{UNIQUEID\}-in\.alaw\)t\(\S+\$\{UNIQUEID\}-out\.alaw\)\)", arrival
    )


def test_the_names_of_the_contract_are_contexts(plan):
    assert {"tl-incoming", "tl-positions", "tl-dial", "tl-fallback"} <= set(
        _extensions(render(plan)["extensions.conf"])
    )


def test_what_a_caller_sends_is_in_no_argument(plan):
    text = render(plan)["extensions.conf"]
    assert "CALLERID(name)}" not in text
    assert "CALLERID(num)}" not in text
    for use in re.findall(r"\$\{EXTEN[^}]*\}[^\n]*", text):
        assert use.startswith("${EXTEN})")  # only as what FILTER is given


def test_nothing_listens_beyond_loopback(plan):
    files = render(plan)
    assert "bind = 127.0.0.1:5060" in files["pjsip.conf"]
    assert "bindaddr = 127.0.0.1" in files["manager.conf"]
    assert "enabled = no" in files["http.conf"]
    binds = re.findall(r"^bind(?:addr)? *= *(\S+)", "\n".join(files.values()), re.MULTILINE)
    assert all(bind.startswith("127.0.0.1") for bind in binds)


def test_the_cel_row_has_the_columns_of_the_contract(plan):
    mapping = next(line for line in render(plan)["cel_custom.conf"].splitlines() if line.startswith("trunkline.csv"))
    assert mapping.count("${CSV_QUOTE(") == len(CEL_COLUMNS)
    names = re.findall(r"CSV_QUOTE\(\$\{(?:CHANNEL\(|CALLERID\()?(\w+)", mapping)
    spoken = {"num": "cidnum", "DNID": "dnid"}
    assert tuple(spoken.get(name, name) for name in names) == CEL_COLUMNS


def test_the_trunk_is_known_by_its_address_before_any_name(plan):
    assert "endpoint_identifier_order = ip,username" in render(plan)["pjsip.conf"]


def test_modules_are_loaded_one_by_one(plan):
    text = render(plan)["modules.conf"]
    assert "autoload = no" in text
    names = re.findall(r"^(?:load|require) = (\S+)$", text, re.MULTILINE)
    assert len(names) == len(set(names))


def test_without_phones_the_dialplan_is_still_whole(plan, tmp_path):
    from dataclasses import replace

    text = render(replace(plan, phones=()))["extensions.conf"]
    assert "Dial(PJSIP/)" not in text
    assert "Dial(," not in text


def test_files_are_private_and_replaced_whole(plan):
    main = write(plan)
    assert main.name == "asterisk.conf"
    folder = plan.folders.config
    (folder / "extensions.conf").write_text("half")
    write(plan)
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == render(plan)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes["manager.conf"] == modes["pjsip.conf"] == 0o600
    assert set(modes.values()) == {0o600, 0o640}
    assert cel_file(plan).parent.is_dir()


def test_secrets_are_only_in_private_files(plan):
    for name, text in render(plan).items():
        if name not in {"manager.conf", "pjsip.conf"}:
            assert not any(secret in text for secret in ("p" * 20, "q" * 20, "s" * 20)), name
