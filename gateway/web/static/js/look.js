// How the page looks for this person: theme and size of type, kept in this browser.

export const THEMES = ["dark", "contrast"];
export const SIZES = ["100", "125", "150", "200"];

const root = document.documentElement;

/** Take what was chosen last; who asks the system for more contrast gets it. */
export function load() {
  const wanted = matchMedia("(prefers-contrast: more)").matches ? "contrast" : "dark";
  root.dataset.theme = kept("theme", THEMES) ?? wanted;
  root.dataset.size = kept("size", SIZES) ?? "100";
}

/** @param {"theme" | "size"} what @param {string} value */
export function choose(what, value) {
  root.dataset[what] = value;
  localStorage.setItem(`trunkline.${what}`, value);
}

export const theme = () => root.dataset.theme;
export const size = () => root.dataset.size;

function kept(what, allowed) {
  const value = localStorage.getItem(`trunkline.${what}`);
  return allowed.includes(value) ? value : null;
}
