// What a page shows to whoever has no key for it yet.

import { call, signIn } from "/static/api.js";

const on = (id) => document.getElementById(id);

export function showSignIn(reason) {
  document.body.classList.add("signed-out");
  on("sign-in").hidden = false;
  on("sign-in-reason").textContent = reason;
  on("api-key").focus();
  offerPassword().catch(() => {});
}

export function hideSignIn() {
  document.body.classList.remove("signed-out");
  on("sign-in").hidden = true;
}

/** Goes on once somebody signed in with the key they pasted. */
export function onSignIn(goOn) {
  on("sign-in-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const pasted = on("api-key").value.trim();
    on("api-key").value = "";
    try {
      await signIn(pasted);
      await goOn();
    } catch (error) {
      on("sign-in-reason").textContent = error.message;
    }
  });
}

/** Where people have passwords. On a platform of one's own nobody has. */
async function offerPassword() {
  const { passwords } = await call("GET", "/api/sign-in");
  on("with-password").hidden = !passwords;
  on("with-password").firstElementChild.search = new URLSearchParams({ then: location.pathname });
}
