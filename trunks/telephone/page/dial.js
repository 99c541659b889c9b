// The box to dial: a number, or a few letters of who it is. Arrow keys choose, Enter dials, Escape clears.

const LIMIT = 8;
// What stands in the box is a number as people write them; anything else is somebody to look for.
const NUMBER = /^\+?[\d*#][\d*#\s().-]*$/;

/**
 * @param {HTMLElement} host
 * @param {any} context
 * @returns {{ put: (number: string) => void, focus: () => void, end: () => void }}
 */
export function showDialBox(host, context) {
  const { api, i18n, say } = context;
  const { h } = context.dom;
  const { t, has } = i18n;
  let asking = 0;
  let busy = false;
  let rows = /** @type {{ who: any, number: string, kind: string }[]} */ ([]);
  let chosen = -1;
  let nobody = false;

  const number = h("input", {
    id: "dial-number", type: "text", autocomplete: "off", spellcheck: false, maxLength: 64, required: true, role: "combobox",
    "aria-autocomplete": "list", "aria-controls": "dial-found", "aria-expanded": "false", oninput: look, onkeydown: onKey,
  });
  const label = h("label", { for: "dial-number" });
  const button = h("button", { className: "button primary", type: "submit", id: "dial" });
  const found = h("ul", { id: "dial-found", role: "listbox" });
  const answer = h("p", { className: "answer", role: "status" });
  const title = h("h2", {});
  const form = h("form", { onsubmit: (event) => { event.preventDefault(); submit(); } }, label, h("div", { className: "box" }, number, button));
  host.replaceChildren(h("header", {}, title), form, found, answer);

  async function submit() {
    if (chosen >= 0) return dial(rows[chosen].number);
    const text = number.value.trim();
    if (NUMBER.test(text)) return dial(text);
    // A name is no number: the best of whom it may be is offered, and a second Enter dials.
    await look();
    if (rows.length) choose(0);
  }

  async function dial(digits) {
    if (busy) return;
    busy = true;
    button.disabled = true;
    const typed = number.value;
    tell("");
    try {
      const done = await api.command("tel.dial", { number: digits }, { ttlS: 10 });
      if (done.error) throw done.error;
      tell(t("telephone.dialling", done.result ?? {}));
      // who is quick has begun to type the next one by now
      if (number.value === typed) clear();
    } catch (problem) {
      tell(`${problem.title ?? problem.message} ${problem.detail ?? ""}`, true);
    } finally {
      busy = false;
      button.disabled = false;
      if (document.activeElement === document.body) number.focus();
    }
  }

  /** Whoever types sees whose numbers there are. */
  async function look() {
    const mine = ++asking;
    const text = number.value.trim();
    const said = text === "" ? [] : await api.request("GET", `/api/v1/contacts?limit=${LIMIT}&q=${encodeURIComponent(text)}`).catch(() => []);
    if (mine !== asking) return;
    rows = said.flatMap((who) => who.numbers.map(({ number: each, kind }) => ({ who, number: each, kind }))).slice(0, LIMIT);
    nobody = text !== "" && !NUMBER.test(text) && rows.length === 0;
    choose(-1);
    if (rows.length) say(t("telephone.dial.found", { n: rows.length }));
  }

  function onKey(event) {
    if (event.isComposing) return;
    if (event.key === "Escape") clear();
    else if (event.key === "ArrowDown" && rows.length) choose((chosen + 1) % rows.length);
    else if (event.key === "ArrowUp" && rows.length) choose(chosen <= 0 ? rows.length - 1 : chosen - 1);
    else return;
    event.preventDefault();
  }

  function choose(index) {
    chosen = Math.max(-1, Math.min(index, rows.length - 1));
    drawFound();
  }

  function clear() {
    asking++;
    number.value = "";
    rows = [];
    nobody = false;
    choose(-1);
  }

  function drawFound() {
    number.setAttribute("aria-expanded", String(rows.length > 0));
    if (chosen >= 0) number.setAttribute("aria-activedescendant", `dial-found-${chosen}`);
    else number.removeAttribute("aria-activedescendant");
    const kind = (row) => (has(`telephone.kind.${row.kind}`) ? t(`telephone.kind.${row.kind}`) : row.kind);
    found.replaceChildren(...rows.map((row, index) =>
      h("li", { role: "option", id: `dial-found-${index}`, "aria-selected": String(index === chosen), onclick: () => put(row.number) },
        h("span", { className: "name" }, row.who.name || row.who.unit, row.who.post && h("span", { className: "post" }, row.who.post)),
        h("span", { className: "digits" }, row.number),
        h("span", { className: "dim" }, row.who.name ? row.who.unit : ""),
        h("span", { className: "dim kind" }, kind(row)))));
    if (nobody) found.replaceChildren(h("li", { className: "dim", role: "option", "aria-disabled": "true" }, t("telephone.dial.nobody")));
    document.getElementById(`dial-found-${chosen}`)?.scrollIntoView({ block: "nearest" });
  }

  function tell(text, urgent = false) {
    answer.textContent = text;
    answer.toggleAttribute("data-urgent", urgent);
  }

  function put(digits) {
    clear();
    number.value = digits;
    number.focus();
  }

  function draw() {
    title.textContent = t("telephone.dial");
    label.textContent = t("telephone.dial.label");
    button.textContent = t("telephone.dial");
    host.setAttribute("aria-label", t("telephone.dial"));
    drawFound();
  }

  i18n.languages.addEventListener("change", draw);
  draw();
  return { put, focus: () => number.focus(), end: () => i18n.languages.removeEventListener("change", draw) };
}
