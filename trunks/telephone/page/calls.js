// The calls in hand: who it is in large type, on which line, for how long, and the way to end it.

import { fill, perFrame } from "/static/js/dom.js";
import { GLYPHS, lineName, linesOf, showSince, whoIsOn } from "/static/js/lamps.js";

// What rings comes first: it waits for somebody.
const ORDER = ["ringing", "dialling", "in_call"];

/** @param {HTMLElement} host @param {any} context */
export function showCalls(host, context) {
  const { api, live, i18n, say } = context;
  const { h, glyph } = context.dom;
  const { t } = i18n;
  const list = h("ul", { className: "cards" });
  host.tabIndex = -1;
  const answer = h("p", { className: "answer", role: "alert" });
  const told = new Set();

  async function hangUp(call) {
    answer.textContent = "";
    try {
      const done = await api.command("tel.hangup", { call }, { ttlS: 10 });
      if (done.error) throw done.error;
    } catch (problem) {
      answer.textContent = `${problem.title ?? problem.message} ${problem.detail ?? ""}`;
    }
  }

  function card(shown) {
    const { state } = shown;
    const { name, post, unit, number } = whoIsOn(state);
    const line = lineName(shown);
    const who = name || unit || number || t("telephone.unknown");
    if (state.state === "ringing" && !told.has(state.call)) say(`${line} ${t("line.ringing")}: ${[who, post, unit].filter(Boolean).join(", ")}`, true);
    told.add(state.call);
    const since = h("span", { className: "since", dataset: { since: state.since } });
    showSince(since);
    return h("li", { className: "card lamp", dataset: { state: state.state, line: shown.resource } },
      glyph(GLYPHS[state.state] ?? "info"),
      h("div", { className: "person" },
        h("p", { className: "what" }, h("strong", {}, t(`line.${state.state}`)), since, h("span", {}, line),
          state.direction && h("span", {}, t(`telephone.direction.${state.direction}`)),
          state.phone && h("span", {}, t("telephone.at", { phone: state.phone }))),
        h("p", { className: "name" }, who, name && post && h("span", { className: "post" }, post)),
        h("p", { className: "unit" }, name ? unit : post),
        h("p", { className: "number" }, who !== number && number),
        !name && !unit && number && h("p", { className: "dim" }, t("telephone.unknown"))),
      h("button", { type: "button", className: "button end", id: `hangup-${shown.resource}`,
        "aria-label": t("telephone.hangup.of", { line, who }), onclick: () => hangUp(state.call) }, t("telephone.hangup")));
  }

  function draw() {
    const focused = document.activeElement?.id;
    const up = linesOf(live).filter((shown) => shown.state.call)
      .sort((a, b) => ORDER.indexOf(a.state.state) - ORDER.indexOf(b.state.state));
    for (const call of told) if (!up.some((shown) => shown.state.call === call)) told.delete(call);
    host.setAttribute("aria-label", t("telephone.in_hand"));
    list.replaceChildren(...up.map(card));
    fill(host,
      h("header", {}, h("h2", {}, t("telephone.in_hand")), h("span", { className: "count" }, t("telephone.in_hand.keys"))),
      up.length ? list : h("p", { className: "dim empty" }, t("telephone.in_hand.none")), answer);
    // The call under the keyboard is over: it stays in this panel, on nothing that Enter could do.
    if (focused?.startsWith("hangup-")) (document.getElementById(focused) ?? host).focus();
  }

  const soon = perFrame(draw);
  const ticking = window.setInterval(() => list.querySelectorAll("[data-since]").forEach(showSince), 1000);
  live.addEventListener("board", soon);
  live.addEventListener("state", soon);
  i18n.languages.addEventListener("change", soon);
  draw();
  return () => {
    window.clearInterval(ticking);
    live.removeEventListener("board", soon);
    live.removeEventListener("state", soon);
    i18n.languages.removeEventListener("change", soon);
  };
}
