// The calls of late: what was missed stands out, and each number can be put into the dial box.

import { fill } from "/static/js/dom.js";

const SHOWN = 15;

/** @param {HTMLElement} host @param {any} context @param {(number: string) => void} put */
export function showRecent(host, context, put) {
  const { api, live, i18n } = context;
  const { h, glyph } = context.dom;
  const { t } = i18n;
  let calls = /** @type {any[]} */ ([]);
  let asking = 0;

  async function ask() {
    const mine = ++asking;
    const said = await api.request("GET", `/api/v1/calls?limit=${SHOWN}`).catch(() => null);
    if (mine !== asking || said === null) return;
    calls = said;
    draw();
  }

  function draw() {
    host.setAttribute("aria-label", t("telephone.recent"));
    fill(host, h("header", {}, h("h2", {}, t("telephone.recent"))),
      calls.length ? h("ul", {}, calls.map(row)) : h("p", { className: "dim" }, t("telephone.recent.none")));
  }

  function row(call) {
    const number = call.direction === "in" ? call.caller : call.called;
    const who = [call.contact?.name, call.contact?.post, call.contact?.unit].filter(Boolean).join(" · ");
    const missed = call.ended_at !== null && call.answered_at === null;
    return h("li", { className: "call", dataset: missed ? { missed: call.direction } : {} },
      glyph(missed ? "cross" : call.direction === "out" ? "up" : "bell"),
      h("time", { dateTime: call.started_at }, new Date(call.started_at).toLocaleTimeString("en-GB")),
      h("span", { className: "who" }, who || number, who && h("span", { className: "dim" }, number)),
      h("span", { className: "how" }, how(call, missed)),
      number && h("button", { type: "button", className: "button", "aria-label": t("telephone.recent.again", { who: who || number }),
        onclick: () => put(number) }, t("telephone.recent.back")));
  }

  function how(call, missed) {
    if (missed) return t(call.direction === "in" ? "telephone.recent.missed" : "telephone.recent.unanswered");
    if (call.ended_at === null) return t("telephone.recent.now");
    const seconds = Math.max(0, Math.round((Date.parse(call.ended_at) - Date.parse(call.answered_at)) / 1000));
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }

  const onEvent = (event) => /^tel\.call_(started|answered|ended)\./.test(event.detail.type) && ask();
  live.addEventListener("event", onEvent);
  live.addEventListener("board", ask);
  i18n.languages.addEventListener("change", draw);
  draw();
  ask();
  return () => {
    live.removeEventListener("event", onEvent);
    live.removeEventListener("board", ask);
    i18n.languages.removeEventListener("change", draw);
  };
}
