// The sign-in: two fields, Enter, and an error that says what to do.

import { Problem, signIn } from "./api.js";
import { h } from "./dom.js";
import { choose, language, languages, t } from "./i18n.js";

/**
 * @param {HTMLElement} host
 * @param {(session: any) => void} enter
 * @returns {() => void}
 */
export function showSignIn(host, enter) {
  let problem = /** @type {Problem | null} */ (null);
  let busy = false;
  const name = h("input", { id: "name", name: "name", autocomplete: "username", required: true, maxLength: 64, spellcheck: false });
  const password = h("input", { id: "password", name: "password", type: "password", autocomplete: "current-password", required: true, maxLength: 1024 });

  async function submit(event) {
    event.preventDefault();
    if (busy) return;
    busy = true;
    problem = null;
    draw();
    try {
      enter(await signIn(name.value, password.value));
      return;
    } catch (error) {
      problem = error instanceof Problem ? error : new Problem(0, { title: t("error.unreachable"), detail: t("error.unreachable.action") });
    }
    busy = false;
    draw();
    password.value = "";
    password.focus();
  }

  function draw() {
    const focused = document.activeElement;
    document.title = `${t("sign_in.title")} · ${t("app.name")}`;
    const other = language() === "zh" ? "en" : "zh";
    host.replaceChildren(
      h("main", { className: "sign-in" },
        h("form", { className: "sign-in-card", onsubmit: submit, "aria-labelledby": "sign-in-title" },
          h("h1", { id: "sign-in-title" }, h("img", { src: "/static/icon.svg", alt: "" }), t("app.name")),
          h("p", { className: "dim" }, t("sign_in.lead")),
          h("div", { className: "field" }, h("label", { for: "name" }, t("sign_in.name")), name),
          h("div", { className: "field" }, h("label", { for: "password" }, t("sign_in.password")), password),
          h("div", { role: "alert" }, problem && h("div", { className: "problem" }, h("strong", {}, problem.title), problem.detail)),
          h("button", { type: "submit", className: "button primary", disabled: busy }, t(busy ? "sign_in.busy" : "sign_in.submit")),
          h("div", { className: "sign-in-foot" },
            h("span", { className: "dim" }, t("sign_in.foot")),
            h("button", { type: "button", className: "button", lang: other, onclick: () => choose(other) }, t(`language.${other}`))))));
    if (focused instanceof HTMLElement && host.contains(focused)) focused.focus();
  }

  draw();
  name.focus();
  languages.addEventListener("change", draw);
  return () => languages.removeEventListener("change", draw);
}
