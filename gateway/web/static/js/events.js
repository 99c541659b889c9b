// What happens, one line an event, newest first: readable at a glance, whole on a click.

import { fill, h } from "./dom.js";
import { has, language, languages, t } from "./i18n.js";

const FACTS = 5;
const HIDDEN = /(^|_)(id|ids|key|call|line|uniqueid|linkedid|channel|recording|revision|epoch|digest|sha256)$/;

/** @param {HTMLElement} host @param {any} context */
export function showEvents(host, { live }) {
  const list = h("ol", { className: "events-list", tabIndex: 0 });

  function draw() {
    host.setAttribute("aria-label", t("events.title"));
    list.setAttribute("aria-label", t("events.title"));
    fill(host, h("header", {}, h("h2", {}, t("events.title"))), list);
    list.replaceChildren(...(live.recent.length ? live.recent.map(row) : [h("li", { className: "dim" }, t("events.none"))]));
  }

  function put(entry) {
    if (live.recent.length === 1) list.replaceChildren();
    list.prepend(row(entry));
    if (list.childElementCount > live.recent.length) list.lastElementChild.remove();
  }

  const onEvent = (event) => put(event.detail);
  live.addEventListener("event", onEvent);
  live.addEventListener("gap", onEvent);
  languages.addEventListener("change", draw);
  draw();
  return () => {
    live.removeEventListener("event", onEvent);
    live.removeEventListener("gap", onEvent);
    languages.removeEventListener("change", draw);
  };
}

function row(entry) {
  if (!("gwseq" in entry)) return h("li", { className: "event gap" }, t(`events.gap.${entry.reason}`, entry));
  const [domain, name] = entry.type.split(".");
  const resource = entry.source.split("/").pop();
  return h("li", { className: "event" }, h("details", { ontoggle: unfold(entry) },
    h("summary", {},
      h("time", { dateTime: entry.time, title: `#${entry.gwseq}` }, clock(entry.time)),
      h("span", { className: "domain", dataset: { domain } }, t(`domain.${domain}`)),
      h("span", { className: "where" }, place(resource)),
      h("span", { className: "what" },
        h("span", { className: "title" }, title(entry, `event.${domain}.${name}`, name)),
        entry.recovered && h("span", { className: "recovered" }, t("events.recovered")),
        facts(entry.data).map(([key, value]) => h("span", { className: "fact" }, key && h("b", {}, key), value))))));
}

// The whole event is written out only when somebody asks for it.
const unfold = (entry) => (event) => {
  const details = event.target;
  if (details.open && !details.querySelector("pre")) details.append(h("pre", {}, JSON.stringify(entry, null, 2)));
};

function clock(time) {
  const at = new Date(time);
  return `${at.toLocaleTimeString("en-GB")}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

function place(resource) {
  const line = /^line-(\d+)$/.exec(resource);
  if (line) return t("lines.name", { n: line[1] });
  return has(`adapter.${resource}`) ? t(`adapter.${resource}`) : resource;
}

function title(entry, key, name) {
  const said = entry.data?.[language() === "zh" ? "text_zh" : "text_en"];
  const known = has(key) ? t(key) : words(name);
  return said ? `${known}: ${said}` : known;
}

/** A few plain values with their names: first who it is about, then the rest in the order of the event. @returns {[string, string][]} */
function facts(data) {
  const { contact, ...rest } = data ?? {};
  const person = contact ? [["", [contact.name, contact.post, contact.unit].filter(Boolean).join(" · ")]] : [];
  const plainly = Object.entries(rest)
    .filter(([key, value]) => !HIDDEN.test(key) && !/^text_(en|zh)$/.test(key) && ["string", "number", "boolean"].includes(typeof value))
    .filter(([, value]) => value !== "" && value !== false)
    .map(([key, value]) => {
      const name = has(`field.${key}`) ? t(`field.${key}`) : words(key);
      return value === true ? ["", name] : [name, has(`value.${value}`) ? t(`value.${value}`) : plain(key, value)];
    });
  return [...person, ...plainly].slice(0, FACTS);
}

function plain(key, value) {
  if (typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value)) return clock(value);
  if (key.endsWith("_s") && typeof value === "number") return `${Math.round(value * 10) / 10} s`;
  const text = String(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

const words = (name) => name.replaceAll("_", " ").replace(/^./, (first) => first.toUpperCase());
