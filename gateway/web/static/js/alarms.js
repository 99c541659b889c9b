// What needs attention, and the button that says that somebody has taken note.

import { Problem } from "./api.js";
import { fill, glyph, h, perFrame, say } from "./dom.js";
import { languages, locale, pick, t } from "./i18n.js";

const GLYPHS = { notice: "info", warning: "triangle", major: "triangle", critical: "octagon" };

/** @param {HTMLElement} host @param {any} context */
export function showAlarms(host, { api, live }) {
  const announced = new Set();
  let problem = "";

  async function acknowledge(id) {
    problem = "";
    try {
      const answer = await api.command("ops.alarm_ack", { ids: [id] });
      if (answer.error) problem = `${answer.error.title} ${answer.error.detail}`;
    } catch (error) {
      problem = error instanceof Problem ? `${error.title} ${error.detail}` : t("error.unreachable");
    }
    if (problem) draw();
  }

  function draw() {
    const board = live.board.get("ops/alarms")?.state ?? { alarms: [], groups: [], total: 0 };
    const focused = document.activeElement?.id;
    for (const alarm of board.alarms) {
      if (alarm.acknowledged_by === null && !announced.has(alarm.id)) {
        announced.add(alarm.id);
        say(`${t("alarms.title")}: ${says(alarm)}`, true);
      }
    }
    host.setAttribute("aria-label", t("alarms.title"));
    fill(host,
      h("header", {}, h("h2", {}, t("alarms.title")), board.total > 0 && h("span", { className: "count" }, String(board.total))),
      problem && h("p", { className: "problem", role: "alert" }, problem),
      board.total === 0
        ? h("p", { className: "calm" }, glyph("tick"), t("alarms.none"))
        : h("ul", { className: "alarm-list" },
          board.alarms.map((alarm) => row(alarm, acknowledge)),
          (board.groups ?? []).map((group) => h("li", { className: "alarm", dataset: { severity: group.severity } },
            glyph(GLYPHS[group.severity] ?? "info"),
            h("span", { className: "says" }, t("alarms.group", { source: group.source, n: group.alarms })),
            h("span", { className: "more" }, t(`severity.${group.severity}`))))),
      board.hidden > 0 && h("p", { className: "dim" }, t("alarms.hidden", { n: board.hidden })));
    if (focused) document.getElementById(focused)?.focus();
  }

  const soon = perFrame(draw);
  const onState = (event) => event.detail.domain === "ops" && soon();
  live.addEventListener("board", soon);
  live.addEventListener("state", onState);
  languages.addEventListener("change", soon);
  draw();
  return () => {
    live.removeEventListener("board", soon);
    live.removeEventListener("state", onState);
    languages.removeEventListener("change", soon);
  };
}

const says = (alarm) => pick({ en: alarm.text_en, zh: alarm.text_zh });

function row(alarm, acknowledge) {
  const more = [
    t(`severity.${alarm.severity}`),
    alarm.source,
    new Date(alarm.raised_at).toLocaleTimeString("en-GB"),
    alarm.count > 1 && t("alarms.times", { n: alarm.count }),
    alarm.shelved_until && t("alarms.shelved", { until: new Date(alarm.shelved_until).toLocaleTimeString(locale()) }),
    alarm.acknowledged_by && t("alarms.by", { who: alarm.acknowledged_by.replace(/^operator:/, "") }),
  ].filter(Boolean);
  return h("li", { className: "alarm", dataset: { severity: alarm.severity } },
    glyph(GLYPHS[alarm.severity] ?? "info"),
    h("span", { className: "says" }, says(alarm)),
    h("span", { className: "more" }, more.join(" · ")),
    alarm.acknowledged_by === null
      && h("button", { type: "button", className: "button", id: `ack-${alarm.id}`, onclick: () => acknowledge(alarm.id) }, t("alarms.acknowledge")));
}
