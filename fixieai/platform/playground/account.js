// The pages around an account. Which one, the address says; each is shown once it is known who is there.

import { Refused, call, findKey, forgetKey, keyFor, signIn, signOut } from "/static/api.js";
import { button, element } from "/static/conversation.js";

const VIEWS = ["sign-in", "welcome", "consent", "done", "profile"];
const CENTRED = ["sign-in", "welcome", "consent", "done"];
const on = (id) => document.getElementById(id);
let user = null;

function show(view, title) {
  for (const each of VIEWS) on(`${each}-view`).hidden = each !== view;
  document.body.classList.toggle("centred", CENTRED.includes(view));
  on("problem").hidden = true;
  on("who").hidden = view !== "profile";
  document.title = `${title} · Fixie`;
  on(`${view}-view`).querySelector("input:not([readonly])")?.focus({ preventScroll: true });
}

function tellProblem(text) {
  for (const each of VIEWS) on(`${each}-view`).hidden = true;
  document.body.classList.add("centred");
  on("problem").textContent = text;
  on("problem").hidden = false;
}

/** Runs what a form or a button does; says beside it what went wrong. */
async function attempt(place, action) {
  const failure = place.querySelector(".failure");
  const buttons = place.querySelectorAll("button");
  failure.textContent = "";
  for (const each of buttons) each.disabled = true;
  try {
    await action();
  } catch (error) {
    if (error instanceof Refused && mustSignIn(error)) showSignIn(error.message);
    else failure.textContent = error.message;
  } finally {
    for (const each of buttons) each.disabled = false;
  }
}

function mustSignIn(error) {
  return error.status === 401 || error.code === "invalid_credential" || error.code === "sign_in_again";
}

function onSubmit(form, action) {
  on(form).addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(on(form), action);
  });
}

function taken(input) {
  const { value } = on(input);
  on(input).value = "";
  return value;
}

// --- signing in ---

async function showSignIn(reason = "") {
  const { passwords } = await call("GET", "/api/sign-in");
  on("password-form").hidden = !passwords;
  on("forgotten").hidden = !passwords;
  on("key-details").open = !passwords;
  on("key-details").classList.toggle("alone", !passwords);
  on("sign-in-lead").textContent = reason || (location.pathname === "/authorize" ? "Say who you are, and the command line can come in as you." : "");
  on("sign-in-lead").hidden = !on("sign-in-lead").textContent;
  if (user) on("username").value = user.username;
  show("sign-in", "Sign in");
}

/** Where to go on: only to a page of this platform. */
function next() {
  const then = new URLSearchParams(location.search).get("then") ?? "/";
  return new URL(then, location.origin).origin === location.origin ? then : "/";
}

async function signedIn() {
  if (location.pathname === "/login") location.replace(next());
  else await begin();
}

onSubmit("password-form", async () => {
  await keyFor("POST", "/api/sign-in", { username: on("username").value.trim().toLowerCase(), password: taken("password") });
  await signedIn();
});
onSubmit("key-form", async () => {
  await signIn(taken("api-key").trim());
  await signedIn();
});

// --- an invitation ---

let invitation = null;

function showWelcome() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  invitation = parameters.get("code") ?? invitation;
  if (!invitation) return tellProblem("This link is not whole. Copy all of it, or ask for a new one.");
  on("welcome-name").value = parameters.get("user") ?? on("welcome-name").value;
  history.replaceState(null, "", location.pathname);
  show("welcome", "Welcome");
}

onSubmit("welcome-form", async () => {
  await keyFor("POST", "/api/invitations", { code: invitation, password: on("new-password").value });
  on("new-password").value = "";
  location.replace("/");
});
on("show-password").addEventListener("click", () => {
  const isShown = on("new-password").type === "text";
  on("new-password").type = isShown ? "password" : "text";
  on("show-password").textContent = isShown ? "Show" : "Hide";
  on("show-password").setAttribute("aria-pressed", String(!isShown));
});

// --- what a command line asks ---

let asked = null;

function showConsent() {
  on("consent-user").textContent = user.username;
  on("consent-place").textContent = asked.place;
  show("consent", "Let the command line in?");
}

function leaveFor(address, text) {
  on("done-text").textContent = text;
  show("done", "Done");
  location.assign(address);
}

on("allow").addEventListener("click", () => attempt(on("consent-view"), async () => {
  const { goTo } = await call("POST", `/api/authorizations${location.search}`);
  leaveFor(goTo, "Your terminal goes on. You can close this window.");
}));
on("refuse").addEventListener("click", () => leaveFor(asked.denied, "The command line gets no access."));
on("somebody-else").addEventListener("click", () => attempt(on("consent-view"), async () => {
  forgetKey();
  user = null;
  await showSignIn();
}));

// --- the profile ---

const days = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const times = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const numbers = new Intl.NumberFormat();
const dollars = new Intl.NumberFormat(undefined, { style: "currency", currency: "USD", maximumFractionDigits: 4 });

async function showProfile() {
  const full = [user.firstName, user.lastName].filter(Boolean).join(" ");
  on("profile-heading").textContent = full || user.username;
  const role = user.administrator ? "administrator" : "";
  on("profile-about").textContent = [full && user.username, user.email, role, `since ${days.format(new Date(user.created))}`].filter(Boolean).join(" · ");
  on("initial").textContent = (full || user.username)[0];
  on("change-card").hidden = !user.hasPassword;
  on("change-name").value = user.username;
  await Promise.all([showKeys(), showUsage()]);
  show("profile", "Your account");
  document.activeElement?.blur();
}

async function showKeys() {
  const { keys } = await call("GET", `/api/users/${user.username}/keys`);
  const pages = keys.filter(({ expires }) => expires);
  on("keys").replaceChildren(...keys.filter(({ expires }) => !expires).map(shownKey));
  on("pages").replaceChildren(...pages.map(shownKey));
  on("pages-card").hidden = pages.length === 0;
}

function shownKey(key) {
  const created = new Date(key.created);
  const since = key.expires ? `since ${days.format(created)}, ${times.format(created)}` : `created ${days.format(created)}`;
  const revoke = button(key.expires ? "End" : "Revoke", () => attempt(on("create-form"), () => revokeKey(key)));
  revoke.setAttribute("aria-label", `Revoke ${key.name}`);
  return element("li", {},
    element("div", {},
      element("div", { className: "name" }, key.name),
      element("div", { className: "small" }, since),
    ),
    revoke,
  );
}

async function revokeKey(key) {
  on("confirm-name").textContent = key.name;
  on("confirm").returnValue = "keep";
  on("confirm").showModal();
  await new Promise((resolve) => on("confirm").addEventListener("close", resolve, { once: true }));
  if (on("confirm").returnValue !== "revoke") return;
  await call("DELETE", `/api/users/${user.username}/keys/${key.id}`);
  await showKeys();
}

function shownUsage(name, used, limit, format) {
  const text = limit === null ? format.format(used) : `${format.format(used)} of ${format.format(limit)}`;
  const line = element("div", { className: "line" }, element("span", {}, name), element("span", {}, text));
  const bar = limit === null ? [] : [element("progress", { max: limit, value: Math.min(used, limit), ariaLabel: name })];
  return element("li", {}, line, ...bar);
}

async function showUsage() {
  const usage = await call("GET", "/api/usage");
  const rows = [
    ["Queries", usage.queries, numbers],
    ["Tokens", usage.tokens, numbers],
    ["Cost of models", usage.dollars, dollars],
    ["Storage calls", usage.storageCalls, numbers],
  ];
  const isShown = ([, { used, limit }], index) => index === 0 || used > 0 || limit !== null;
  on("usage").replaceChildren(...rows.filter(isShown).map(([name, { used, limit }, format]) => shownUsage(name, used, limit, format)));
  on("resets").textContent = `A new day begins at ${times.format(new Date(usage.resets))}.`;
}

onSubmit("create-form", async () => {
  const made = await call("POST", `/api/users/${user.username}/keys`, { body: { name: on("key-name").value } });
  on("key-name").value = "";
  on("made-name").textContent = `“${made.name}”`;
  on("made-key").value = made.key;
  on("copy").textContent = "Copy";
  on("made").hidden = false;
  on("made-key").select();
  await showKeys();
});
on("copy").addEventListener("click", async () => {
  on("made-key").select();
  await navigator.clipboard.writeText(on("made-key").value).catch(() => document.execCommand("copy"));
  on("copy").textContent = "Copied";
});
onSubmit("change-form", async () => {
  await keyFor("PUT", "/api/password", { current: taken("current-password"), new: taken("next-password") });
  on("change-details").open = false;
  on("changed").textContent = "Your password was changed. Other pages have to sign in again.";
});
on("sign-out").addEventListener("click", async () => {
  await signOut();
  location.assign("/login");
});
on("confirm").addEventListener("click", ({ target }) => target.value && on("confirm").close(target.value));

// --- where we are ---

async function begin() {
  if (location.pathname === "/welcome") return showWelcome();
  if (location.pathname === "/authorize") asked ??= await call("GET", `/api/authorization-requests${location.search}`);
  if (!(await findKey())) return showSignIn();
  try {
    user = await call("GET", "/api/user");
  } catch (error) {
    if (!(error instanceof Refused && mustSignIn(error))) throw error;
    forgetKey();
    return showSignIn(error.message);
  }
  if (location.pathname === "/authorize") return showConsent();
  if (location.pathname === "/login") return location.replace(next());
  return showProfile();
}

begin().catch((error) => tellProblem(error.message));
