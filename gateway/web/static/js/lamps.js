// One lamp for each line: colour, shape, words and rate say the same, so that any one of them is enough.

import { fill, glyph, h, perFrame } from "./dom.js";
import { languages, t } from "./i18n.js";

export const GLYPHS = { idle: "ring", ringing: "bell", dialling: "up", in_call: "disc", held: "bars", out_of_service: "cross" };
const LINE = /^line-(\d+)$/;

/** @param {HTMLElement} host @param {any} context */
export function showLamps(host, { live }) {
  const list = h("ul", { className: "lamps" });

  function draw() {
    const lines = linesOf(live);
    const busy = lines.filter((shown) => !["idle", "out_of_service"].includes(stateOf(shown))).length;
    list.replaceChildren(...lines.map(lamp));
    host.setAttribute("aria-label", t("lines.title"));
    fill(host,
      h("header", {}, h("h2", {}, t("lines.title")), h("span", { className: "count" }, t("lines.count", { busy, all: lines.length }))),
      lines.length ? list : h("p", { className: "dim" }, t("lines.none")));
  }

  const soon = perFrame(draw);
  const ticking = window.setInterval(() => list.querySelectorAll("[data-since]").forEach(showSince), 1000);
  live.addEventListener("board", soon);
  live.addEventListener("state", soon);
  languages.addEventListener("change", soon);
  draw();
  return () => {
    window.clearInterval(ticking);
    live.removeEventListener("board", soon);
    live.removeEventListener("state", soon);
    languages.removeEventListener("change", soon);
  };
}

/** The lines on the board, in their order. @param {any} live */
export const linesOf = (live) => [...live.board.values()]
  .filter((shown) => shown.domain === "tel" && LINE.test(shown.resource))
  .sort((a, b) => number(a) - number(b));

/** What people call a line. */
export const lineName = (shown) => shown.state.display_name || t("lines.name", { n: number(shown) });

/** Who is on the line, as far as it is known: the state tells of a number and, if the directory has it, of its owner. */
export function whoIsOn(state) {
  const { name = "", post = "", unit = "", number: digits = "" } = state.party ?? {};
  return { name, post, unit, number: digits };
}

/** Write into `element` how long ago its `data-since` was. */
export function showSince(element) {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(element.dataset.since)) / 1000));
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60].map((part) => String(part).padStart(2, "0"));
  element.textContent = (seconds >= 3600 ? [Math.floor(seconds / 3600), ...parts] : parts).join(":");
}

const number = (shown) => Number(LINE.exec(shown.resource)[1]);
const stateOf = (shown) => shown.state.state ?? "idle";

function lamp(shown) {
  const { state, since, direction, phone } = { ...shown.state, state: stateOf(shown) };
  const quiet = state === "idle" || state === "out_of_service";
  const timer = !quiet && since && h("span", { className: "since", dataset: { since } });
  if (timer) showSince(timer);
  const { name, post, unit, number: digits } = whoIsOn(shown.state);
  const title = [name, post].filter(Boolean).join(" · ") || unit || digits;
  const from = [unit, digits].filter((part) => part && part !== title).join(" · ");
  return h("li", { className: "lamp", id: shown.resource, dataset: { state } },
    glyph(GLYPHS[state] ?? "info"),
    h("span", { className: "label" }, h("span", {}, lineName(shown)), h("span", {}, phone)),
    h("span", { className: "word" }, h("span", {}, t(`line.${state}`)), timer),
    !quiet && h("span", { className: "who" }, title || (direction ? t(`line.unknown.${direction}`) : "")),
    !quiet && h("span", { className: "from" }, from));
}
