"""The command line as a person meets it: what it says, and with which code it ends. No daemon runs here."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from gateway.app import client
from gateway.app.cli import main
from gateway.app.verbs.bus import exit_code, readable
from gateway.commands import ledger
from gateway.commands.answers import Answer, AnswerNote, CommandState, Reply, Source
from gateway.commands.ledger import LedgerEntry
from gateway.store.options import StoreOptions
from gateway.store.store import SqlStore


@pytest.fixture
def trunkline(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUNKLINE_GATEWAY__STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")

    def call(*arguments, **environment):
        return CliRunner(env=environment or None).invoke(main, arguments, prog_name="trunkline")

    return call


@pytest.fixture
def wrong_file(tmp_path):
    file = tmp_path / "wrong.toml"
    file.write_text('[web]\nprot = 80\n[telephon]\nx = "单雄信"\n', encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_configuration_is_read_wherever_it_is_named(trunkline, wrong_file, place):
    arguments = (
        ["--config", wrong_file, "check-config"] if place == "before" else ["check-config", "--config", wrong_file]
    )
    result = trunkline(*arguments)
    assert result.exit_code == 12
    assert "[settings.unknown_key] wrong.toml: there is no setting web.prot. Did you mean 'port'?" in result.stderr
    assert "telephon" in result.stderr


def test_a_verb_within_a_group_takes_the_configuration_too(trunkline, wrong_file):
    assert trunkline("apps", "list", "--config", wrong_file).exit_code == 12


def test_every_problem_is_told_in_the_language_of_the_terminal(trunkline, wrong_file):
    result = trunkline("check-config", "--config", wrong_file, LC_ALL="zh_CN.UTF-8")
    assert "没有名为 web.prot 的设置项。是否应为 'port'？" in result.stderr
    assert "there is no" not in result.stderr


def test_without_a_daemon_the_next_action_is_told(trunkline):
    result = trunkline("status")
    assert result.exit_code == 8
    assert "[daemon.not_running]" in result.stderr
    assert "`trunkline run`" in result.stderr


def test_a_socket_of_another_user_is_no_missing_daemon(tmp_path, monkeypatch):
    socket = tmp_path / "s"
    socket.touch()
    monkeypatch.setattr(client.os, "access", lambda *_: False)  # root may do everything, so it is said here
    with client.LocalClient(socket) as one, pytest.raises(client.DaemonNotPermittedError):
        one.status()


def test_a_mistyped_command_names_the_near_one(trunkline):
    result = trunkline("send", "tel.dail", "number=110")
    assert result.exit_code == 4
    assert "[command.unknown_verb]" in result.stderr
    assert "Did you mean 'tel.dial'?" in result.stderr


def test_a_wrong_field_shows_what_the_command_takes(trunkline):
    result = trunkline("send", "tel.dial", "nmber=110")
    assert result.exit_code == 3
    assert "Takes: tel.dial number=… [position=…] [line=…]" in result.stderr
    assert "[command.schema]" in result.stderr


def test_a_refused_command_has_an_answer_in_json(trunkline):
    result = trunkline("send", "tel.dial", "nmber=110", "--json")
    answer = json.loads(result.stdout)
    assert (answer["name"], answer["state"], answer["error"]["code"]) == ("tel.dial", "rejected", "command.schema")


def test_a_failed_command_ends_with_the_code_of_its_errors_kind(trunkline):
    result = trunkline("apps", "rotate", "nobody")
    assert result.exit_code == 4
    assert "[not_found]" in result.stderr
    assert trunkline("send", "tel.dial", "number=110").exit_code == 8


def test_a_failure_is_told_in_chinese_to_a_chinese_terminal(trunkline):
    result = trunkline("apps", "rotate", "nobody", LC_ALL="zh_CN.UTF-8")
    assert re.search(r"\[not_found\] 没有名为 'nobody' 的.*。请核对名称", result.stderr)


def test_rights_are_listed_as_they_are_given(trunkline):
    assert trunkline("apps", "add", "board", "--right", "tel.*@line-1", "--title", "大屏").exit_code == 0
    assert "rights=tel.*@line-1" in trunkline("apps", "list").stdout


def test_a_password_is_read_from_a_file_and_not_taken_from_the_command_line(trunkline, tmp_path):
    file = tmp_path / "password"
    file.write_text("正确的口令正确的口令 🚒\n", encoding="utf-8")
    assert trunkline("operators", "add", "shan", "--password-file", str(file), "--title", "单雄信").exit_code == 0
    assert "display_name=单雄信" in trunkline("operators", "list").stdout
    assert trunkline("operators", "password", "shan", "--password", "x" * 12).exit_code == 2


def test_a_file_that_cannot_be_written_is_no_trace(trunkline, tmp_path):
    result = trunkline("contacts", "export", str(tmp_path / "nowhere" / "x.csv"))
    assert result.exit_code == 3
    assert "No such file or directory" in result.stderr


def test_a_state_folder_that_cannot_be_made_is_no_trace(trunkline, tmp_path):
    (tmp_path / "file").touch()
    result = trunkline("contacts", "search", "x", TRUNKLINE_GATEWAY__STATE_DIR=str(tmp_path / "file" / "state"))
    assert result.exit_code == 12
    assert "[state.folder]" in result.stderr


def test_nothing_found_is_said_and_is_no_failure(trunkline):
    result = trunkline("contacts", "search", "𠮷野家")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "nothing found\n")
    assert json.loads(trunkline("contacts", "search", "𠮷野家", "--json").stdout) == []


def test_the_help_of_send_lists_every_command(trunkline):
    from gateway.app.contract import specs_by_name

    text = trunkline("send", "--help").stdout
    assert [name for name in specs_by_name() if name not in text] == []


async def _accepted_by_the_daemon(folder):
    """Leave a dial behind as a daemon does that was killed just after accepting it; return the epoch of that life."""
    store = SqlStore(StoreOptions(), folder=folder, site="main")
    await store.open()
    now = datetime.now(UTC)
    answer = Answer("c-1", "tel.dial", CommandState.ACCEPTED, now)
    note = AnswerNote("application:cad", Source.BUS, Reply(), answer)
    entry = LedgerEntry(note, "", b'{"number":"110"}', None, now, now + timedelta(minutes=1))
    await store.write(lambda unit: ledger.insert(unit.connection, entry), name="test")
    await store.close()
    return store.epoch


async def _found(folder):
    store = SqlStore(StoreOptions(), folder=folder, site="main", count_start=False)
    await store.open()
    entry = await store.read(lambda connection: ledger.find(connection, "application:cad", "c-1"))
    await store.close()
    return store.epoch, entry.answer.state


def test_a_look_without_a_daemon_settles_no_command_and_is_no_start_of_the_gateway(trunkline, tmp_path):
    folder = tmp_path / "state"
    epoch = asyncio.run(_accepted_by_the_daemon(folder))
    assert trunkline("apps", "list").exit_code == 0
    assert asyncio.run(_found(folder)) == (epoch, CommandState.ACCEPTED)


@pytest.mark.parametrize(
    ("state", "code", "expected"),
    [
        ("succeeded", None, 0),
        ("expired", "command.expired", 9),
        ("unknown", "command.outcome_unknown", 11),
        ("in_progress", None, 11),
        ("failed", "auth.not_permitted", 6),
        ("failed", "of.another.program", 10),
    ],
)
def test_exit_codes(state, code, expected):
    assert exit_code({"state": state, "error": code and {"code": code}}) == expected


def test_an_answer_is_readable():
    answer = {
        "name": "a.b",
        "id": "1",
        "state": "succeeded",
        "result": {"ok": True, "of": [], "rows": [{"n": "仇英", "x": None}]},
    }
    assert list(readable(answer)) == ["a.b succeeded  id 1", "ok: yes", "of: none", "rows:", "  n=仇英"]
