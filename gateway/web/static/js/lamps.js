// One lamp for each line: colour, shape, words and rate say the same, so that any one of them is enough.

import { fill, glyph, h, perFrame } from "./dom.js";
import { languages, t } from "./i18n.js";

const GLYPHS = { idle: "ring", ringing: "bell", dialling: "up", in_call: "disc", held: "bars", out_of_service: "cross" };
const LINE = /^line-(\d+)$/;

/** @param {HTMLElement} host @param {any} context */
export function showLamps(host, { live }) {
  const list = h("ul", { className: "lamps" });

  function draw() {
    const lines = [...live.board.values()]
      .filter((shown) => shown.domain === "tel" && LINE.test(shown.resource))
      .sort((a, b) => number(a) - number(b));
    const busy = lines.filter((shown) => !["idle", "out_of_service"].includes(stateOf(shown))).length;
    list.replaceChildren(...lines.map(lamp));
    host.setAttribute("aria-label", t("lines.title"));
    fill(host,
      h("header", {}, h("h2", {}, t("lines.title")), h("span", { className: "count" }, t("lines.count", { busy, all: lines.length }))),
      lines.length ? list : h("p", { className: "dim" }, t("lines.none")));
  }

  const soon = perFrame(draw);
  const ticking = window.setInterval(() => list.querySelectorAll("[data-since]").forEach(tick), 1000);
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

const number = (shown) => Number(LINE.exec(shown.resource)[1]);
const stateOf = (shown) => shown.state.state ?? "idle";

function lamp(shown) {
  const { state, display_name: label, since, direction, phone } = { ...shown.state, state: stateOf(shown) };
  const quiet = state === "idle" || state === "out_of_service";
  const timer = !quiet && since && h("span", { className: "since", dataset: { since } });
  if (timer) tick(timer);
  const { name, from } = who(shown.state);
  return h("li", { className: "lamp", id: shown.resource, dataset: { state } },
    glyph(GLYPHS[state] ?? "info"),
    h("span", { className: "label" }, h("span", {}, label || t("lines.name", { n: number(shown) })), h("span", {}, phone)),
    h("span", { className: "word" }, h("span", {}, t(`line.${state}`)), timer),
    !quiet && h("span", { className: "who" }, name || (direction ? t(`line.unknown.${direction}`) : "")),
    !quiet && h("span", { className: "from" }, from));
}

/** Who is on the line, best known first. */
function who(state) {
  const texts = (...parts) => parts.filter((part) => typeof part === "string" && part);
  const { name, post, unit, number } = state.party ?? {};
  const known = texts(name, post);
  return {
    name: known.join(" · ") || unit || number || "",
    from: texts(known.length && unit, (known.length || unit) && number).join(" · "),
  };
}

function tick(element) {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(element.dataset.since)) / 1000));
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60].map((part) => String(part).padStart(2, "0"));
  element.textContent = (seconds >= 3600 ? [Math.floor(seconds / 3600), ...parts] : parts).join(":");
}
