// Elements without markup strings: everything goes in as text, so nothing that a caller sends can become markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element. `props` are properties (`onclick`, `className`), `data-…`/`aria-…`/`role` attributes, or a `dataset`
 * object; children are nodes or texts, and `null`/`false` are left out.
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...any} children
 * @returns {HTMLElement}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "dataset") Object.assign(element.dataset, value);
    else if (key.includes("-") || key === "role" || key === "for") element.setAttribute(key, value === true ? "" : value);
    else element[key] = value;
  }
  element.append(...present(children));
  return element;
}

/** Replace what is in `host`; `null` and `false` are left out, as in `h`. @param {HTMLElement} host @param {...any} children */
export function fill(host, ...children) {
  host.replaceChildren(...present(children));
}

const present = (children) => children.flat().filter((child) => child !== null && child !== undefined && child !== false);

// Each meaning has a shape of its own, told apart without colour.
const GLYPHS = {
  ring: ["M12 4a8 8 0 1 0 0 16a8 8 0 1 0 0-16z", false],
  disc: ["M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18z", true],
  bell: ["M12 2a2 2 0 0 1 2 2v.6A6 6 0 0 1 18 10v5l2 3H4l2-3v-5a6 6 0 0 1 4-5.4V4a2 2 0 0 1 2-2zM9.5 19.5h5a2.5 2.5 0 0 1-5 0z", true],
  bars: ["M6 4h4v16H6zM14 4h4v16h-4z", true],
  cross: ["M5 5l14 14M19 5L5 19", false],
  up: ["M12 3l8 9h-5v9H9v-9H4z", true],
  triangle: ["M12 3l10 18H2zM12 10v5M12 17.6v.8", false],
  octagon: ["M8 2h8l6 6v8l-6 6H8l-6-6V8zM12 7v6M12 16.4v.8", false],
  tick: ["M4 13l5 5L20 6", false],
  half: ["M12 3a9 9 0 0 0 0 18zM12 3a9 9 0 0 1 0 18", false],
  dash: ["M5 12h14", false],
  info: ["M12 4a8 8 0 1 0 0 16a8 8 0 1 0 0-16zM12 11v5M12 7.6v.8", false],
};

/**
 * Make a glyph; it is decoration beside words, so it is hidden from screen readers.
 * @param {keyof GLYPHS} name
 */
export function glyph(name) {
  const [path, filled] = GLYPHS[name];
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "glyph");
  svg.setAttribute("aria-hidden", "true");
  const drawn = document.createElementNS(SVG, "path");
  drawn.setAttribute("d", path);
  drawn.setAttribute("fill", filled ? "currentColor" : "none");
  drawn.setAttribute("stroke", "currentColor");
  drawn.setAttribute("stroke-width", filled ? "0" : "2.5");
  drawn.setAttribute("stroke-linecap", "round");
  drawn.setAttribute("stroke-linejoin", "round");
  svg.append(drawn);
  return svg;
}

/** Say something to who listens rather than looks. @param {string} text @param {boolean} [urgent] */
export function say(text, urgent = false) {
  document.getElementById(urgent ? "shout" : "say").textContent = text;
}

/** Run `draw` at most once a frame, however often the returned function is called. @param {() => void} draw */
export function perFrame(draw) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      draw();
    });
  };
}
