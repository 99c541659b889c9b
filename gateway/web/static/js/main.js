// Where the page begins: languages, then either the sign-in or the console.

import { whoAmI } from "./api.js";
import * as i18n from "./i18n.js";
import * as look from "./look.js";
import { showShell } from "./shell.js";
import { showSignIn } from "./sign_in.js";

const app = document.getElementById("app");
let end = () => {};

/** @param {any} session */
function enter(session) {
  end();
  end = session === null ? showSignIn(app, enter) : showShell(app, session, () => enter(null));
}

look.load();
await i18n.load();
enter(await whoAmI());
