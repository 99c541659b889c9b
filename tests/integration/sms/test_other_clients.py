"""gammu and smstools, unchanged, at the simulated modem: it is no echo of the project's own driver."""

import asyncio
import shutil

import pytest

from tests.support.modem import modem_process, run
from tests.support.wait import until

pytestmark = pytest.mark.integration

TEXT = "曾国藩：🚒𠮷野家请到场，单雄信已出发。"
LONG = TEXT * 5
OWN = "+8613800000001"


def gammu(modem, tmp_path):
    config = tmp_path / "gammurc"
    config.write_text(f"[gammu]\ndevice = {modem.port}\nconnection = at115200\n")
    return shutil.which("gammu"), "-c", str(config)


@pytest.mark.parametrize("profile", ["plain", "sim7600", "huawei", "wavecom"])
async def test_gammu_identifies_and_sends(tmp_path, monkeypatch, profile):
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    async with modem_process(tmp_path, "--profile", profile) as modem:
        client = gammu(modem, tmp_path)
        assert "860000000000001" in await run(*client, "identify")
        if profile == "sim7600":
            return  # gammu never sends AT&F, without which this model stays out of the network
        await run(*client, "sendsms", "TEXT", "+8613900000002", "-unicode", "-text", TEXT)
        (sent,) = modem.lines("submitted")
        assert (sent["recipient"], sent["text"]) == ("+8613900000002", TEXT)


async def test_gammu_sends_long_messages_and_reads_them(tmp_path, monkeypatch):
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    async with modem_process(tmp_path) as modem:
        client = gammu(modem, tmp_path)
        await run(*client, "sendsms", "TEXT", OWN, "-unicode", "-len", "400", "-text", LONG)
        sent = modem.lines("submitted")
        assert "".join(part["text"] for part in sent) == LONG
        assert [part["parts"]["index"] for part in sent] == [1, 2]
        assert LONG in (await run(*client, "geteachsms")).replace("\n", "")
        await modem.do(do="receive", sender="+8613900000003", text="收到 🚒")
        await until(lambda: len(modem.lines("delivered")) == 3, "the third message in the storage")
        read = await run(*client, "getallsms")
        assert "收到 🚒" in read
        assert "+8613900000003" in read


async def test_smstools_sends_and_receives(tmp_path):
    for folder in ("outgoing", "checked", "incoming", "sent", "failed"):
        (tmp_path / folder).mkdir()
    async with modem_process(tmp_path) as modem:
        config = tmp_path / "smsd.conf"
        config.write_text(
            "devices = GSM1\nloglevel = 7\ndelaytime = 1\nblocktime = 1\n"
            f"logfile = {tmp_path}/smsd.log\ninfofile = {tmp_path}/smsd.info\npidfile = {tmp_path}/smsd.pid\n"
            + "".join(f"{name} = {tmp_path / name}\n" for name in ("outgoing", "checked", "incoming", "sent", "failed"))
            + f"\n[GSM1]\ndevice = {modem.port}\nincoming = yes\nbaudrate = 115200\ninit = AT\nmemory_start = 1\n"
            "check_memory_method = 31\nsignal_quality_ber_ignore = yes\n"
        )
        smsd = await asyncio.create_subprocess_exec(
            shutil.which("smsd") or "/usr/sbin/smsd", f"-c{config}", "-t", stdout=asyncio.subprocess.DEVNULL
        )
        try:
            # smstools cuts Chinese text and drops emoji by itself, so it is given what it can do.
            draft = tmp_path / "draft"
            draft.write_bytes(b"To: 8613900000002\nAlphabet: UCS\n\n" + "仇英收到".encode("utf-16-be"))
            draft.replace(tmp_path / "outgoing" / "one")
            await modem.do(do="receive", sender="+8613900000003", text="欧阳询：已到场")
            await until(lambda: modem.lines("submitted"), "the message of smstools", 40)
            (sent,) = modem.lines("submitted")
            assert (sent["recipient"], sent["text"]) == ("+8613900000002", "仇英收到")
            (path,) = await until(lambda: list((tmp_path / "incoming").iterdir()), "the message to smstools", 40)
            assert "欧阳询：已到场".encode("utf-16-be") in path.read_bytes()
        finally:
            smsd.terminate()
            await asyncio.wait_for(smsd.wait(), 30)
