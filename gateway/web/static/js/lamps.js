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
  const state = stateOf(shown);
  const index = number(shown);
  const { name, from, since } = facts(shown.state);
  const timer = since && h("span", { className: "since", dataset: { since } });
  if (timer) tick(timer);
  return h("li", { className: "lamp", id: shown.resource, dataset: { state } },
    glyph(GLYPHS[state] ?? "info"),
    h("span", { className: "label" }, t("lines.name", { n: index })),
    h("span", { className: "word" }, h("span", {}, t(`line.${state}`)), timer),
    h("span", { className: "who" }, name),
    h("span", { className: "from" }, from));
}

/** Who is on the line, best known first, and since when. */
function facts(state) {
  const caller = state.caller ?? state.party ?? state;
  const texts = (...parts) => parts.filter((part) => typeof part === "string" && part);
  const known = texts(caller.name ?? state.caller_name, caller.post);
  const [digits = ""] = texts(caller.number, state.number, state.caller_number);
  return {
    name: known.join(" · ") || digits,
    from: [caller.unit, known.length && digits].filter(Boolean).join(" · "),
    since: state.since ?? state.started_at ?? null,
  };
}

function tick(element) {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(element.dataset.since)) / 1000));
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60].map((part) => String(part).padStart(2, "0"));
  element.textContent = (seconds >= 3600 ? [Math.floor(seconds / 3600), ...parts] : parts).join(":");
}
