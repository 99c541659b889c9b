// How each part of the gateway is, in words, with the reason when it is not well.

import { fill, glyph, h } from "./dom.js";
import { has, languages, t } from "./i18n.js";

const GLYPHS = { READY: "tick", STARTING: "half", DEGRADED: "triangle", CONFIG_ERROR: "octagon", STOPPED: "dash", DISABLED: "dash" };
const EVERY_MS = 3000;

/** @param {HTMLElement} host @param {any} context */
export function showHealth(host, { api, live }) {
  let status = /** @type {any} */ (null);
  let asking = false;

  async function ask() {
    if (asking) return;
    asking = true;
    try {
      status = await api.request("GET", "/api/v1/status");
      draw();
    } catch {
      // The connection indicator says so; what is shown is greyed until it is true again.
    } finally {
      asking = false;
    }
  }

  function draw() {
    const adapters = status?.adapters ?? [];
    host.setAttribute("aria-label", t("health.title"));
    fill(host,
      h("header", {}, h("h2", {}, t("health.title")), status && h("span", { className: "count" }, t(`health.${status.state}`))),
      h("ul", { className: "adapters" }, adapters.map((each) =>
        h("li", { className: "adapter", dataset: { state: each.state } },
          glyph(GLYPHS[each.state]),
          h("span", {}, has(`adapter.${each.name}`) ? t(`adapter.${each.name}`) : each.name),
          h("span", { className: "word" }, t(`health.${each.state}`)),
          (each.reason || each.restarts > 0) && h("span", { className: "why" },
            [each.reason, each.restarts > 0 && t("health.restarts", { n: each.restarts })].filter(Boolean).join(" · "))))));
  }

  const onState = (event) => event.detail.domain === "sys" && ask();
  const ticking = window.setInterval(ask, EVERY_MS);
  live.addEventListener("board", ask);
  live.addEventListener("state", onState);
  languages.addEventListener("change", draw);
  draw();
  ask();
  return () => {
    window.clearInterval(ticking);
    live.removeEventListener("board", ask);
    live.removeEventListener("state", onState);
    languages.removeEventListener("change", draw);
  };
}
