// The two languages. A catalogue is `messages/<language>.json`; features add their own with `add`.

/** @typedef {"zh" | "en"} Language */

const KEPT = "trunkline.language";
const catalogues = { zh: {}, en: {} };
export const languages = new EventTarget();
let present = /** @type {Language} */ ("zh");

/** Load both catalogues and take the language that was chosen last, else that of the browser. */
export async function load() {
  const loaded = await Promise.all(["zh", "en"].map(async (each) => (await fetch(`/static/messages/${each}.json`)).json()));
  add({ zh: loaded[0], en: loaded[1] });
  const kept = localStorage.getItem(KEPT);
  show(kept === "zh" || kept === "en" ? kept : navigator.language.startsWith("zh") ? "zh" : "en");
}

/** Add texts, `{ zh: { "fax.title": "传真" }, en: { … } }`. @param {Record<Language, Record<string, string>>} texts */
export function add(texts) {
  Object.assign(catalogues.zh, texts.zh);
  Object.assign(catalogues.en, texts.en);
}

/** The language that is shown. @returns {Language} */
export const language = () => present;

/** The tag for dates and the `lang` attribute. */
export const locale = () => (present === "zh" ? "zh-CN" : "en-GB");

/** Show another language, now and next time. @param {Language} chosen */
export function choose(chosen) {
  localStorage.setItem(KEPT, chosen);
  show(chosen);
}

function show(chosen) {
  present = chosen;
  document.documentElement.lang = locale();
  languages.dispatchEvent(new Event("change"));
}

/** Whether there is a text for `key`. @param {string} key */
export const has = (key) => key in catalogues[present];

/**
 * The text for `key` with its `{placeholders}` filled in; the key itself where there is none.
 * @param {string} key
 * @param {Record<string, any>} [fields]
 */
export function t(key, fields = {}) {
  const text = catalogues[present][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in fields ? String(fields[name]) : whole));
}

/** The side of a `{en, zh}` text that is shown. @param {{en: string, zh: string}} text */
export const pick = (text) => text[present];
