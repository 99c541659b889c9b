"""A watch at the console: real Chromium, real gateway, Asterisk and broker, real telephones; by keyboard alone."""

import asyncio
import contextlib
import os
import re
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, Route, async_playwright, expect

from gateway.app.stand.phones import PhoneSetup, Softphone
from gateway.app.stand.sipp import network
from gateway.app.stand.stand import CALLED_NUMBERS, NETWORK_ADDRESS, Stand
from gateway.web.options import WebOptions
from tests.support import sound
from tests.support.wait import until

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
PASSWORD = "一一九值班室的口令 🚒"
CHROMIUM = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
CHINESE = re.compile(r"[一-鿿]")
NEEDED_MS = 15_000


@dataclass
class Watch:
    """The room: what runs, the page, and where pictures of it are put."""

    stand: Stand
    page: Page
    folder: Path

    @property
    def url(self) -> str:
        web = self.stand.settings.of(WebOptions)
        return f"http://{web.host}:{web.port}/"

    def phone(self, number: str) -> Softphone:
        plan = self.stand.asterisk.plan
        (password,) = (phone.password for phone in plan.phones if phone.number == number)
        return Softphone(self._setup(number, "127.0.0.1", password=password))

    def caller(self, number: str) -> Softphone:
        return Softphone(self._setup(number, NETWORK_ADDRESS))

    def _setup(self, user: str, address: str, password: str = "") -> PhoneSetup:
        plan = self.stand.asterisk.plan
        return PhoneSetup(
            user=user,
            server=f"{plan.sip_address}:{plan.sip_port}",
            address=address,
            folder=self.folder / f"phone-{user}",
            speech=Path("/dev/null"),
            silence=True,
            password=password,
        )

    async def program(self, *words: str, said: str = "") -> str:
        """Run the command line as somebody in another terminal does, who types *said*."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway.app", *words),
            stdin=PIPE,
            stdout=PIPE,
            stderr=STDOUT,
            cwd=ROOT,
            env={**os.environ, "TRUNKLINE_GATEWAY__STATE_DIR": f'"{self.stand.paths.root}"', "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        async with asyncio.timeout(30):
            output, _ = await process.communicate(said.encode())
        assert process.returncode == 0, output.decode()
        return output.decode()

    async def sign_in(self) -> None:
        await self.page.goto(self.url)
        await expect(self.page.locator("#name")).to_be_focused()
        await self.page.keyboard.type("shan")
        await self.page.keyboard.press("Tab")
        await self.page.keyboard.type(PASSWORD)
        await self.page.keyboard.press("Enter")
        await expect(self.page.locator(".link")).to_have_attribute("data-state", "live")

    async def open_telephone(self) -> None:
        await self.page.locator("nav a[href='#/telephone']").focus()
        await self.page.keyboard.press("Enter")
        await expect(self.page.locator("#dial-number")).to_be_visible()

    async def picture(self, name: str) -> None:
        await self.page.screenshot(path=self.folder / f"{name}.png")

    def lamp(self, line: int) -> Locator:
        return self.page.locator(f"#line-{line}")


@pytest.fixture
async def watch(tmp_path: Path) -> AsyncIterator[Watch]:
    program = shutil.which("chromium")
    assert program is not None, "install chromium"
    problems: list[str] = []
    async with contextlib.AsyncExitStack() as stack:
        state = stack.enter_context(tempfile.TemporaryDirectory(prefix="tl-", dir="/tmp"))
        stand = await stack.enter_async_context(Stand(Path(state) / "state"))
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=program, args=list(CHROMIUM))
        stack.push_async_callback(browser.close)
        context = await browser.new_context(locale="zh-CN", viewport={"width": 1600, "height": 950})
        context.set_default_timeout(NEEDED_MS)
        page = await context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console", lambda said: problems.append(f"{said.text} {said.location}") if said.type == "error" else None
        )
        room = Watch(stand, page, tmp_path)
        await room.program("contacts", "import", "config/examples/contacts.csv")
        await room.program("operators", "add", "shan", "--title", "单雄信", said=f"{PASSWORD}\n{PASSWORD}\n")
        try:
            yield room
        finally:
            await room.picture("last")
    # the first question of every page is who is signed in, and before the sign-in the answer is: nobody
    assert [one for one in problems if not ("401" in one and "/api/v1/session" in one)] == []


async def test_a_call_is_seen_with_who_it_is_taken_and_ended_and_another_dialled(watch):
    page, lamp = watch.page, watch.lamp(1)
    tone = watch.folder / "tone.alaw"
    tone.write_bytes(sound.tone(440, 2.0))
    trunk = network(watch.folder / "network", watch.stand.asterisk.plan.trunk.port, tone, NETWORK_ADDRESS)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(trunk.stop)
        await trunk.start()
        phone = await stack.enter_async_context(watch.phone("101"))
        caller = await stack.enter_async_context(watch.caller("13800001111"))
        await watch.sign_in()
        await expect(page.locator(".lamp")).to_have_count(8)
        await watch.picture("overview")
        await watch.open_telephone()
        await expect(lamp).to_contain_text("空闲")

        await caller.dial(CALLED_NUMBERS[0])
        await expect(lamp).to_contain_text("振铃")
        await expect(lamp).to_contain_text("单雄信 · 值班镇长")
        await expect(lamp).to_contain_text("城关镇人民政府")
        card = page.locator(".card")
        for words in ("单雄信", "值班镇长", "城关镇人民政府", "13800001111", "呼入"):
            await expect(card).to_contain_text(words)
        await expect(page.locator("#shout")).to_contain_text("单雄信")
        await watch.picture("ringing")

        await phone.wait_for("CALL_INCOMING")
        await phone.accept()
        await expect(lamp).to_contain_text("通话中")
        await expect(card).to_contain_text("话机 101")
        await expect(card.locator(".since")).to_have_text(re.compile(r"^00:0\d$"))
        await watch.picture("in-call")
        await page.keyboard.press("F1")
        await expect(page.locator("#hangup-line-1")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(lamp).to_contain_text("空闲")
        await caller.wait_for("CALL_CLOSED")
        await expect(page.locator(".recent .call").first).to_contain_text("单雄信")

        phone.forget()
        await page.keyboard.press("F9")
        await page.keyboard.type("110")
        await page.keyboard.press("Enter")
        await expect(page.locator(".dial .answer")).to_contain_text("正在呼叫 110，请摘起话机 101")
        await phone.wait_for("CALL_INCOMING")
        await phone.accept()
        await expect(card).to_contain_text("通话中")
        await expect(card).to_contain_text("110")
        await expect(card).to_contain_text("呼出")
        await watch.picture("dialled")
        await phone.hang_up()
        await expect(page.locator(".card")).to_have_count(0)


async def test_somebody_is_looked_up_and_dialled_with_arrow_and_enter(watch):
    page, option = watch.page, watch.page.locator("#dial-found [role=option]")
    async with watch.phone("101") as phone:
        await watch.sign_in()
        await watch.open_telephone()
        await page.keyboard.press("F9")
        await page.keyboard.type("仇英")
        await expect(option).to_have_count(1)
        await expect(option).to_contain_text("13900002222")
        await page.keyboard.press("Enter")  # a name is no number: the first Enter only chooses
        await expect(option).to_have_attribute("aria-selected", "true")
        await page.keyboard.press("Escape")
        await expect(option).to_have_count(0)
        await page.keyboard.type("应急管理")
        await expect(option.first).to_be_visible()
        await watch.picture("search")
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("ArrowUp")
        await page.keyboard.press("ArrowDown")
        number = await option.first.locator(".digits").inner_text()
        typed = asyncio.Event()

        async def slowly(route: Route) -> None:
            await typed.wait()
            await route.continue_()

        await page.route("**/api/v1/commands/tel.dial*", slowly)
        await page.keyboard.press("Enter")
        await page.locator("#dial-number").select_text()
        await page.keyboard.type("没有此人")  # who is quick types the next one before the answer is there
        typed.set()
        await phone.wait_for("CALL_INCOMING")
        await expect(page.locator(".card")).to_contain_text(number[-6:])
        await expect(page.locator(".dial .answer")).to_contain_text("正在呼叫")
        await expect(page.locator("#dial-number")).to_have_value("没有此人")
        await expect(page.locator("#dial-found")).to_have_text("通讯录中没有")


async def test_an_alarm_is_shown_and_acknowledged_by_keyboard_in_both_languages(watch):
    page = watch.page
    await watch.sign_in()
    await expect(page.locator(".calm")).to_have_text("无告警")
    watch.stand.asterisk.process.kill()
    alarm = page.locator(".alarm").first
    await expect(alarm).to_contain_text("Asterisk", timeout=30_000)
    await expect(page.locator(".alarm-chip")).to_be_visible(timeout=15_000)
    await expect(watch.lamp(1)).to_contain_text("停用")
    await watch.picture("alarm")
    while await page.locator(".alarm .button").count():
        waiting = await page.locator(".alarm .button").count()
        await page.locator(".alarm .button").first.focus()
        await page.keyboard.press("Enter")
        await expect(page.locator(".alarm .button")).to_have_count(waiting - 1)
    await expect(alarm).to_contain_text("shan")
    await expect(page.locator(".alarm-chip")).to_have_count(0)
    await page.locator("#language").focus()
    await page.keyboard.press("Enter")
    await expect(watch.lamp(1)).to_contain_text("Out of service")
    await watch.picture("alarm-english")
    await watch.stand.start_asterisk()
    await expect(page.locator(".calm")).to_have_text("No alarms", timeout=30_000)
    await expect(watch.lamp(1)).to_contain_text("Idle")
    assert not CHINESE.search(await page.locator(".lines").inner_text())


async def test_in_english_and_large_type_nothing_is_hidden_and_nothing_is_chinese(watch):
    page = watch.page
    async with watch.caller("13900009999") as caller:
        await watch.sign_in()
        await page.locator("#language").focus()
        await page.keyboard.press("Enter")
        await watch.open_telephone()
        await caller.dial(CALLED_NUMBERS[1])
        await expect(page.locator(".card")).to_contain_text("13900009999")
        await expect(page.locator(".card")).to_contain_text("Number not in the directory")
        assert not CHINESE.search(await page.locator(".view").inner_text())
        await watch.picture("english")
        await page.locator("#theme").press("Enter")
        await page.locator("#size").select_option("200")
        for width in (1600, 1280, 1024):
            await page.set_viewport_size({"width": width, "height": 900})
            await watch.picture(f"large-{width}")
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
            await page.keyboard.press("F9")
            await expect(page.locator("#dial-number")).to_be_focused()
            await expect(page.locator("#dial-number")).to_be_in_viewport()
            await page.keyboard.press("F2")
            await expect(page.locator("#hangup-line-2")).to_be_in_viewport()
        await page.keyboard.press("Enter")
        await until(lambda: any(one["type"] == "CALL_CLOSED" for one in caller.events), "the end of the call")
