// The frame around every page: clock, connection, navigation, language and look; and the pages' ways in and out.

import * as api from "./api.js";
import { glyph, h, say } from "./dom.js";
import * as i18n from "./i18n.js";
import { Live } from "./live.js";
import * as look from "./look.js";
import * as overview from "./overview.js";

const { t } = i18n;
const LINK_GLYPHS = { connecting: "half", live: "disc", lagging: "triangle", lost: "cross" };

/**
 * @param {HTMLElement} host
 * @param {any} session
 * @param {() => void} leave
 * @returns {() => void}
 */
export function showShell(host, session, leave) {
  const live = new Live();
  /** @type {{path: string, title: {en: string, zh: string}, module: string, icon: string}[]} */
  let pages = [];
  let site = "";
  let ended = false;
  let endView = () => {};
  let shown = /** @type {string | null} */ (null);

  const view = h("div", { className: "view" });
  const bar = h("header", { className: "bar" });
  const nav = h("nav", { className: "nav" });
  const note = h("div", { className: "stale-note", role: "status" });
  const main = h("main", { className: "main", id: "main", tabIndex: -1 }, note, view);
  const shell = h("div", { className: "shell" }, bar, nav, main);
  const skip = h("a", { className: "skip", href: "#main", onclick: (event) => { event.preventDefault(); main.focus(); } });
  const clock = h("time", { className: "clock" });
  const link = h("div", { className: "link" });
  const alarms = h("div");
  host.replaceChildren(skip, shell);

  function drawClock() {
    const now = new Date();
    const day = now.toLocaleDateString(i18n.locale(), { year: "numeric", month: "2-digit", day: "2-digit", weekday: "short" });
    clock.dateTime = now.toISOString();
    clock.replaceChildren(now.toLocaleTimeString("en-GB"), h("span", { className: "date dim" }, day));
    if (live.link === "lagging" || live.link === "lost") drawNote();
  }

  function drawNote() {
    note.replaceChildren(glyph("triangle"), t("link.stale", { seconds: Math.round(live.lagMs / 1000) }));
  }

  function drawLink() {
    const stale = live.link === "lagging" || live.link === "lost";
    shell.toggleAttribute("data-stale", stale);
    link.dataset.state = live.link;
    link.replaceChildren(glyph(LINK_GLYPHS[live.link]), t(`link.${live.link}`));
    if (stale) drawNote();
  }

  /** Whatever page is open, an alarm that nobody has taken note of is in sight. */
  function drawAlarms() {
    const waiting = live.board.get("ops/alarms")?.state.unacknowledged ?? 0;
    alarms.replaceChildren(...(waiting ? [h("a", { className: "alarm-chip", href: "#/" }, glyph("octagon"), t("alarms.waiting", { n: waiting }))] : []));
  }

  function drawBar() {
    const other = i18n.language() === "zh" ? "en" : "zh";
    const contrast = look.theme() === "contrast";
    bar.replaceChildren(
      h("div", { className: "brand" }, h("img", { src: "/static/icon.svg", alt: "" }), t("app.name"), site && h("span", { className: "site dim" }, site)),
      clock,
      h("div", { className: "spread" }),
      alarms,
      link,
      h("div", { className: "tools" },
        h("button", { type: "button", className: "button", lang: other, id: "language", onclick: () => i18n.choose(other) }, t(`language.${other}`)),
        h("button", { type: "button", className: "button", id: "theme", "aria-pressed": String(contrast),
          onclick: () => { look.choose("theme", contrast ? "dark" : "contrast"); drawBar(); } }, t("look.contrast")),
        h("label", { className: "only-heard", for: "size" }, t("look.size")),
        h("select", { id: "size", onchange: (event) => look.choose("size", event.target.value) },
          look.SIZES.map((each) => h("option", { value: each, selected: each === look.size() }, `${each}%`))),
        h("span", { className: "who-am-i" }, session.display_name),
        h("button", { type: "button", className: "button", id: "sign-out", onclick: signOut }, t("sign_out"))));
  }

  function drawNav() {
    const entries = [{ path: "", title: { en: "", zh: "" }, icon: "/static/home.svg" }, ...pages];
    nav.setAttribute("aria-label", t("nav.label"));
    nav.replaceChildren(h("ul", {}, entries.map((page) => {
      const icon = h("span", { className: "icon" });
      icon.style.setProperty("--icon", `url("${page.icon}")`);
      const label = page.path === "" ? t("nav.overview") : i18n.pick(page.title);
      return h("li", {}, h("a", { href: `#/${page.path}`, "aria-current": route() === page.path ? "page" : null }, icon, label));
    })));
  }

  /** Draw anew and keep the keyboard where it was. */
  function draw() {
    const focused = document.activeElement?.id;
    skip.textContent = t("nav.skip");
    drawBar();
    drawNav();
    drawClock();
    drawLink();
    drawAlarms();
    drawTitle();
    if (focused) document.getElementById(focused)?.focus();
  }

  const route = () => location.hash.replace(/^#\/?/, "");

  function drawTitle() {
    const page = pages.find((each) => each.path === route());
    document.title = `${page ? i18n.pick(page.title) : t("nav.overview")} · ${t("app.name")}`;
  }

  async function go() {
    drawNav();
    drawTitle();
    const path = route();
    if (path === shown) return;
    shown = path;
    endView();
    endView = () => {};
    view.replaceChildren();
    const page = pages.find((each) => each.path === path);
    try {
      const module = page ? await import(page.module) : overview;
      if (ended || shown !== path) return;
      endView = module.mount(view, context) ?? (() => {});
    } catch (error) {
      view.replaceChildren(h("div", { className: "problem", role: "alert" }, h("strong", {}, t("error.page")), String(error)));
    }
  }

  async function signOut() {
    await api.signOut().catch(() => {});
    leave();
  }

  /** What a page gets. @type {any} */
  const context = { api, live, i18n, session, say, dom: { h, glyph } };

  function onLink() {
    drawLink();
    say(live.link === "lagging" || live.link === "lost" ? note.textContent : t(`link.${live.link}`), live.link !== "live");
  }

  const ticking = window.setInterval(drawClock, 1000);
  i18n.languages.addEventListener("change", draw);
  live.addEventListener("link", onLink);
  live.addEventListener("board", drawAlarms);
  live.addEventListener("state", (event) => event.detail.domain === "ops" && drawAlarms());
  live.addEventListener("signed-out", leave);
  window.addEventListener("hashchange", go);
  draw();
  Promise.all([api.request("GET", "/api/v1/pages"), api.request("GET", "/api/v1/status")]).then(([listed, status]) => {
    pages = listed;
    site = status.site;
    draw();
  }).catch((error) => say(String(error), true)).finally(() => { if (!ended) go(); });
  live.start();

  return () => {
    ended = true;
    window.clearInterval(ticking);
    i18n.languages.removeEventListener("change", draw);
    window.removeEventListener("hashchange", go);
    live.stop();
    endView();
  };
}
