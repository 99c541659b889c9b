"""The console in a real Chromium, by keyboard, against a gateway in a process of its own."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

pytestmark = pytest.mark.integration

CHROMIUM = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "正确的口令 🚒"
ALARM = {
    "id": "a1",
    "key": "tx",
    "severity": "critical",
    "source": "radio",
    "text_en": "Transmitter 2 is stuck",
    "text_zh": "2 号发射机未释放",
    "state": "raised",
    "count": 1,
    "raised_at": "2026-01-01T00:00:00Z",
    "acknowledged_by": None,
    "shelved_until": None,
}


class Gateway:
    def __init__(self, process, url):
        self.process, self.url = process, url

    async def do(self, **order):
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        await self.process.stdin.drain()

    async def line(self, number, state, **more):
        await self.do(show=["tel", f"line-{number}"], state={"state": state, **more})


@pytest.fixture
async def gateway():
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.fakes.console_process",
        stdin=PIPE,
        stdout=PIPE,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    url = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()
    yield Gateway(process, url)
    process.send_signal(signal.SIGCONT)
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 10) == 0


@pytest.fixture
async def page(tmp_path):
    program = shutil.which("chromium")
    assert program is not None, "install chromium"
    async with contextlib.AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=program, args=CHROMIUM)
        stack.push_async_callback(browser.close)
        context = await browser.new_context(locale="zh-CN", viewport={"width": 1600, "height": 950})
        page = await context.new_page()
        problems = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: problems.append(said.text) if "Content Security Policy" in said.text else None)
        yield page
        await page.screenshot(path=tmp_path / "last.png")
        assert not problems


async def sign_in(page: Page, gateway: Gateway) -> None:
    """Sign in without touching the mouse."""
    await page.goto(gateway.url)
    await expect(page.locator("#name")).to_be_focused()
    await page.keyboard.type("shan")
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator(".link")).to_have_attribute("data-state", "live")


async def test_by_keyboard_alone_from_sign_in_to_sign_out(page, gateway):
    await page.goto(gateway.url)
    await expect(page.locator("#name")).to_be_focused()
    await page.keyboard.type("shan")
    await page.keyboard.press("Tab")
    await page.keyboard.type("falsch")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert").filter(has_text="用户名或口令错误")).to_be_visible()
    await expect(page.locator("#password")).to_be_focused()
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("navigation")).to_contain_text("总览")
    await expect(page.locator(".who-am-i")).to_have_text("单雄信")
    await page.keyboard.press("Tab")  # the first stop leads past the bar
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    await page.locator("#sign-out").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#name")).to_be_focused()
    await page.reload()
    await expect(page.locator("#name")).to_be_visible()


async def test_a_lines_state_changes_live_in_colour_shape_and_words(page, gateway):
    await gateway.line(1, "idle")
    await sign_in(page, gateway)
    lamp = page.locator("#line-1")
    await expect(lamp).to_contain_text("空闲")
    idle_shape = await lamp.locator("path").get_attribute("d")
    idle_colour = await lamp.evaluate("each => getComputedStyle(each).borderLeftColor")
    await gateway.line(1, "ringing", party={"unit": "朝阳支队", "name": "仇英", "post": "值班员"})
    await expect(lamp).to_contain_text("振铃")
    await expect(lamp).to_contain_text("仇英 · 值班员")
    assert await lamp.locator("path").get_attribute("d") != idle_shape
    assert await lamp.evaluate("each => getComputedStyle(each).borderLeftColor") != idle_colour
    assert await lamp.evaluate("each => getComputedStyle(each).animationName") == "ringing"
    await page.emulate_media(reduced_motion="reduce")
    assert await lamp.evaluate("each => getComputedStyle(each).animationName") == "none"


async def test_what_a_caller_sends_is_text_and_never_markup(page, gateway):
    nasty = "<img src=x onerror=alert(1)>𠮷野家"
    await gateway.line(2, "ringing", party={"name": nasty})
    await gateway.do(tell="tel.call_started.v1", resource="line-2", data={"contact": {"name": nasty}})
    await sign_in(page, gateway)
    await expect(page.locator("#line-2")).to_contain_text(nasty)
    await expect(page.locator(".event").first).to_contain_text(nasty)
    assert await page.locator("#line-2 img, .event img").count() == 0


async def test_events_arrive_readably_and_whole_on_demand(page, gateway):
    await gateway.do(tell="tel.call_started.v1", resource="line-3", data={"direction": "in", "number": "110"})
    await sign_in(page, gateway)
    await gateway.do(tell="tel.call_ended.v1", resource="line-3", data={"duration_s": 61.25, "reason": "normal"})
    first = page.locator(".event").first
    await expect(first).to_contain_text("通话结束")
    await expect(first).to_contain_text("61.3 s")
    await expect(page.locator(".event")).to_have_count(2)
    await first.locator("summary").focus()
    await page.keyboard.press("Enter")
    await expect(first.locator("pre")).to_contain_text('"gwseq": 2')


async def test_the_language_changes_without_losing_state_and_is_kept(page, gateway):
    await gateway.line(1, "in_call")
    await sign_in(page, gateway)
    await page.locator("#language").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#line-1")).to_contain_text("In call")
    await expect(page.locator("#language")).to_be_focused()
    await expect(page.locator("html")).to_have_attribute("lang", "en-GB")
    await page.reload()
    await expect(page.locator("#line-1")).to_contain_text("In call")
    assert not re.search(r"[一-鿿]", (await page.locator(".view").inner_text()))


async def test_a_stream_that_lags_greys_the_board_and_says_so(page, gateway):
    await gateway.line(1, "in_call")
    await sign_in(page, gateway)
    await expect(page.locator("#line-1")).to_contain_text("通话中")
    shell = page.locator(".shell")
    gateway.process.send_signal(signal.SIGSTOP)
    await expect(shell).to_have_attribute("data-stale", "", timeout=6000)
    await expect(page.locator(".stale-note")).to_contain_text("数据不是实时的")
    assert "grayscale" in await page.locator(".view").evaluate("each => getComputedStyle(each).filter")
    gateway.process.send_signal(signal.SIGCONT)
    await expect(page.locator(".link")).to_have_attribute("data-state", "live", timeout=10_000)
    await expect(page.locator(".stale-note")).to_be_hidden()
    await gateway.line(1, "idle")
    await expect(page.locator("#line-1")).to_contain_text("空闲")


async def test_an_alarm_is_in_sight_and_is_acknowledged_by_keyboard(page, gateway):
    await sign_in(page, gateway)
    await expect(page.locator(".calm")).to_have_text("无告警")
    await gateway.do(
        show=["ops", "alarms"],
        state={"alarms": [ALARM], "groups": [], "total": 1, "unacknowledged": 1, "hidden": 0},
    )
    await expect(page.locator(".alarm")).to_contain_text("2 号发射机未释放")
    await expect(page.locator(".alarm-chip")).to_contain_text("1 条告警待确认")
    await expect(page.locator("#shout")).to_contain_text("2 号发射机未释放")
    async with page.expect_request("**/api/v1/commands/ops.alarm_ack") as asked:
        await page.locator("#ack-a1").focus()
        await page.keyboard.press("Enter")
    request = await asked.value
    assert request.post_data_json == {"ids": ["a1"]}
    headers = await request.all_headers()
    assert headers["x-csrf-token"]
    assert headers["idempotency-key"]


async def test_large_type_and_high_contrast_need_no_sideways_scrolling(page, gateway):
    for number in range(1, 9):
        await gateway.line(number, "in_call", party={"name": "曾国藩", "unit": "市急救中心" * 4})
    await sign_in(page, gateway)
    await page.locator("#theme").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("html")).to_have_attribute("data-theme", "contrast")
    await page.locator("#size").select_option("200")
    for width in (1600, 1024):
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width


async def test_a_features_page_is_opened_in_the_shell(page, gateway):
    await sign_in(page, gateway)
    await page.get_by_role("link", name="演示").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".view")).to_have_text("演示 shan 1")
    await page.locator("#language").press("Enter")
    await expect(page.locator(".view")).to_have_text("Demonstration shan 2")
    await page.goto(f"{gateway.url}/#/")
    await expect(page.locator(".lamps, .lines")).not_to_have_count(0)
