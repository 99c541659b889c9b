// The switchboard's page, first cut: the lines as they are, a box to dial, and a way to end each call.

import { showLamps } from "/static/js/lamps.js";

const TEXTS = {
  zh: {
    "telephone.dial": "拨号", "telephone.number": "号码或姓名", "telephone.dialling": "正在呼叫 {digits}，请摘机（{position}）",
    "telephone.hangup": "挂断", "telephone.calls": "通话", "telephone.none": "没有通话",
  },
  en: {
    "telephone.dial": "Dial", "telephone.number": "Number or name", "telephone.dialling": "Calling {digits}: pick up {position}",
    "telephone.hangup": "Hang up", "telephone.calls": "Calls", "telephone.none": "No calls",
  },
};

/** @param {HTMLElement} host @param {any} context */
export function mount(host, context) {
  const { api, live, i18n, dom, say } = context;
  const { h } = dom;
  const { t } = i18n;
  i18n.add(TEXTS);

  const lamps = h("section", { className: "panel lines" });
  const number = h("input", { id: "dial-number", type: "text", autocomplete: "off", maxLength: 64, required: true });
  const label = h("label", { for: "dial-number" });
  const button = h("button", { className: "button primary", type: "submit" });
  const found = h("ul", { "aria-live": "polite" });
  const answer = h("p", { role: "status" });
  const form = h("form", { className: "field", onsubmit: dial }, label, number, button);
  const title = h("h2", {});
  const calls = h("ul", {});
  const box = h("section", { className: "panel" }, form, answer, found);
  host.replaceChildren(h("div", { className: "column" }, lamps, box, h("section", { className: "panel" }, title, calls)));
  const endLamps = showLamps(lamps, context);
  let asking = 0;

  async function dial(event) {
    event.preventDefault();
    button.disabled = true;
    try {
      const done = await api.command("tel.dial", { number: number.value }, { ttlS: 10 });
      if (done.error) throw Object.assign(new Error(done.error.title), done.error);
      tell(t("telephone.dialling", done.result ?? {}));
      number.value = "";
    } catch (problem) {
      tell(`${problem.title ?? problem.message} ${problem.detail ?? ""}`, true);
    } finally {
      button.disabled = false;
    }
  }

  async function hangUp(call) {
    try {
      await api.command("tel.hangup", { call }, { ttlS: 10 });
    } catch (problem) {
      tell(`${problem.title ?? problem.message} ${problem.detail ?? ""}`, true);
    }
  }

  /** Whoever types a name sees whose numbers there are. */
  async function look() {
    const mine = ++asking;
    const text = number.value.trim();
    const said = text.length > 1 ? await api.command("dir.search", { text, limit: 6 }).catch(() => null) : null;
    if (mine !== asking) return;
    found.replaceChildren(...(said?.result?.contacts ?? []).flatMap((who) => who.numbers.map((one) =>
      h("li", {}, h("button", { className: "button", type: "button", onclick: () => { number.value = one.number; number.focus(); } },
        [who.unit, who.name, who.post, one.number].filter(Boolean).join(" · "))))));
  }

  function tell(text, urgent = false) {
    answer.textContent = text;
    say(text, urgent);
  }

  function draw() {
    label.textContent = t("telephone.number");
    button.textContent = t("telephone.dial");
    title.textContent = t("telephone.calls");
    const up = [...live.board.values()].filter((shown) => shown.domain === "tel" && shown.state.call);
    calls.replaceChildren(...(up.length ? up.map(row) : [h("li", { className: "dim" }, t("telephone.none"))]));
  }

  function row(shown) {
    const { state } = shown;
    const party = state.party ?? {};
    return h("li", {}, [state.display_name, party.unit, party.name, party.number].filter(Boolean).join(" · "), " ",
      h("button", { className: "button", type: "button", onclick: () => hangUp(state.call) }, t("telephone.hangup")));
  }

  number.addEventListener("input", look);
  live.addEventListener("board", draw);
  live.addEventListener("state", draw);
  i18n.languages.addEventListener("change", draw);
  draw();
  return () => {
    endLamps();
    live.removeEventListener("board", draw);
    live.removeEventListener("state", draw);
    i18n.languages.removeEventListener("change", draw);
  };
}
