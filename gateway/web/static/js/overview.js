// The start page: lines, alarms, what happens, and how the gateway is.

import { showAlarms } from "./alarms.js";
import { h } from "./dom.js";
import { showEvents } from "./events.js";
import { showHealth } from "./health.js";
import { showLamps } from "./lamps.js";

/** @param {HTMLElement} host @param {any} context */
export function mount(host, context) {
  const lines = h("section", { className: "panel lines" });
  const alarms = h("section", { className: "panel alarms" });
  const events = h("section", { className: "panel events" });
  const health = h("section", { className: "panel" });
  host.replaceChildren(h("div", { className: "overview" }, lines, events, h("div", { className: "column" }, alarms, health)));
  const ends = [showLamps(lines, context), showAlarms(alarms, context), showEvents(events, context), showHealth(health, context)];
  return () => ends.forEach((end) => end());
}
