// Talks to the platform: the key of this tab, calls, and the stream of one query.

const STORED = "fixie.key";
const MILLISECONDS_FOR_OTHER_TABS = 250;

/** The platform answered, and said no; the message is for the person. */
export class Refused extends Error {
  constructor(status, message, code) {
    super(message);
    this.status = status;
    this.code = code;
  }
  get isAboutTheKey() {
    return this.status === 401 || this.status === 403;
  }
}

/** The platform did not answer, or its answer broke off. */
export class Unreachable extends Error {}

let key = sessionStorage.getItem(STORED);

// Other tabs of this origin, and nobody else, hear this channel: a new one asks them for their key.
const tabs = new BroadcastChannel("fixie");
tabs.addEventListener("message", ({ data }) => {
  if (data === "key?" && key) tabs.postMessage({ key });
  if (data === "signed out") forgetKey();
});

function keyOfAnotherTab() {
  return new Promise((resolve) => {
    tabs.addEventListener("message", ({ data }) => data.key && resolve(data.key));
    setTimeout(resolve, MILLISECONDS_FOR_OTHER_TABS, null);
    tabs.postMessage("key?");
  });
}

function keep(newKey) {
  key = newKey;
  sessionStorage.setItem(STORED, key);
}

export function forgetKey() {
  key = null;
  sessionStorage.removeItem(STORED);
}

/** Whether there is a key: from the code in the address, of this tab, or of another one. */
export async function findKey() {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code) {
    history.replaceState(null, "", location.pathname);
    try {
      await exchange(code);
    } catch (error) {
      if (!key && !(await adoptKey())) throw error;
    }
  }
  return Boolean(key) || adoptKey();
}

async function adoptKey() {
  const found = await keyOfAnotherTab();
  if (found) keep(found);
  return Boolean(found);
}

/** Nobody who sends a link with a code of their own takes the place of who is signed in, unasked. */
async function exchange(code) {
  const { key: given } = await call("POST", "/api/browser-keys", { body: { code } });
  const present = key ?? (await keyOfAnotherTab());
  keep(present && !mayReplace(present, given) ? present : given);
}

function mayReplace(present, given) {
  const [now, next] = [present, given].map(personOf);
  return now === null || now === next || confirm(`This link signs you in as ${next}, and you are ${now}. Go on as ${next}?`);
}

/** Whose key it is, as it says itself. */
function personOf(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))).sub;
  } catch {
    return null;
  }
}

/** Signs in, by a call that answers with a key. */
export async function keyFor(method, path, body) {
  keep((await call(method, path, { body })).key);
}

/** Ends the key of this tab, and lets the others forget theirs. */
export async function signOut() {
  await call("POST", "/api/sign-out").catch(() => {});
  forgetKey();
  tabs.postMessage("signed out");
}

/** A pasted API key is used once, for a key that ends. */
export async function signIn(apiKey) {
  key = apiKey;
  try {
    await exchange((await call("POST", "/api/browser-codes")).code);
  } catch (error) {
    forgetKey();
    throw error;
  }
}

/** The response, whatever its status. Throws Unreachable. */
async function respond(method, path, { body, file, signal } = {}) {
  const headers = {};
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body) headers["Content-Type"] = "application/json";
  if (file) headers["Content-Type"] = file.type || "application/octet-stream";
  const content = file ?? (body && JSON.stringify(body));
  const options = { method, headers, signal, body: content, cache: "no-store", redirect: "error" };
  return fetch(path, options).catch((error) => {
    throw signal?.aborted ? error : new Unreachable("The platform does not answer.");
  });
}

export function post(path, body, signal) {
  return respond("POST", path, { body, signal });
}

async function send(method, path, options) {
  const response = await respond(method, path, options);
  if (response.ok) return response;
  const content = await response.json().catch(() => null);
  const { message, code } = content?.error ?? {};
  throw new Refused(response.status, message ?? `The platform answered ${response.status}.`, code);
}

/** One call; the JSON of its answer. Throws Refused and Unreachable. */
export async function call(method, path, options) {
  const response = await send(method, path, options);
  return response.status === 204 ? null : response.json();
}

/** Stores a file in a session, where texts name it by its key. Throws Refused and Unreachable. */
export async function upload(session, fileKey, file, signal) {
  const path = `/api/sessions/${session}/embeds?key=${encodeURIComponent(fileKey)}`;
  return (await send("POST", path, { file, signal })).json();
}

/** Asks in a session, and gives each line of the answer as it arrives. Throws Refused and Unreachable. */
export async function* ask(session, { text, embeds }, signal) {
  const body = { session, message: { text, embeds }, stream: true, steps: true };
  const response = await send("POST", "/api/agents/None", { body, signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read().catch((error) => {
      throw signal.aborted ? error : new Unreachable("The connection broke off.");
    });
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    yield* lines.filter(Boolean).map((line) => JSON.parse(line));
  }
}
