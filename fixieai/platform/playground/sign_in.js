// What a page shows to whoever has no key for it yet.

import { call } from "/static/api.js";

const on = (id) => document.getElementById(id);

export function showSignIn(reason) {
  document.body.classList.add("signed-out");
  on("sign-in").hidden = false;
  on("sign-in-reason").textContent = reason;
  on("api-key").focus();
  offerPassword().catch(() => {});
}

/** Where people have passwords. On a platform of one's own nobody has. */
async function offerPassword() {
  const { passwords } = await call("GET", "/api/sign-in");
  on("with-password").hidden = !passwords;
  on("with-password").firstElementChild.search = new URLSearchParams({ then: location.pathname });
}
