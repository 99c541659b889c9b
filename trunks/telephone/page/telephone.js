// The switchboard's page: the lines, the calls in hand with who it is, the box to dial, and the calls of late.

import { showLamps } from "/static/js/lamps.js";

import { showCalls } from "./calls.js";
import { showDialBox } from "./dial.js";
import { showRecent } from "./recent.js";
import { TEXTS } from "./texts.js";

const LINE_KEY = /^F([1-8])$/;
const DIAL_KEY = "F9";

/** @param {HTMLElement} host @param {any} context */
export function mount(host, context) {
  const { h } = context.dom;
  context.i18n.add(TEXTS);
  const style = h("link", { rel: "stylesheet", href: new URL("telephone.css", import.meta.url).pathname });
  document.head.append(style);

  const lamps = h("section", { className: "panel lines" });
  const calls = h("section", { className: "panel in-hand" });
  const dial = h("section", { className: "panel dial" });
  const recent = h("section", { className: "panel recent" });
  host.replaceChildren(h("div", { className: "telephone" }, lamps, calls, h("div", { className: "column" }, dial, recent)));
  const box = showDialBox(dial, context);
  const ends = [showLamps(lamps, context), showCalls(calls, context), box.end, showRecent(recent, context, box.put)];

  /** F1 to F8 lead to a line's call, F9 to the dial box; they work inside text fields, but not into a half-typed word. */
  function onKey(event) {
    if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    const line = LINE_KEY.exec(event.key);
    if (line === null && event.key !== DIAL_KEY) return;
    event.preventDefault();
    if (line === null) box.focus();
    else document.getElementById(`hangup-line-${line[1]}`)?.focus();
  }

  window.addEventListener("keydown", onKey);
  return () => {
    window.removeEventListener("keydown", onKey);
    ends.forEach((end) => end());
    style.remove();
  };
}
