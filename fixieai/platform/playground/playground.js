// The page: lists on the left, one conversation, and what the address says is shown.

import { Refused, ask, call, findKey, forgetKey } from "/static/api.js";
import { Conversation, button, describeModel, element } from "/static/conversation.js";
import { ChosenFiles, placeholders, uploadAll } from "/static/files.js";
import { hideSignIn, onSignIn, showSignIn } from "/static/sign_in.js";

const PAGE = 30;
const MESSAGES = 100;
const MOST_SUGGESTIONS = 6;
const NEW = "New chat";
const MILLISECONDS_BETWEEN_LOOKS = 15_000;

const on = (id) => document.getElementById(id);
const conversation = new Conversation(on("log"), submit);
const chosen = new ChosenFiles(on("files"), (text) => say(text));
// `reading` ends what is being read; `isBehind`: the session holds more than is shown.
const view = {
  user: null, agents: [], agentId: null, session: null, reading: new AbortController(), isWaiting: false, isBehind: false,
};

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", resolve, { once: true });
  });
}

function say(text, ...actions) {
  on("status").replaceChildren(text, ...actions);
}

// --- the lists ---

/** A list that is read page by page: `more` shows the next one, `refresh` all that were shown. */
function pagedList(name, path, show) {
  let shown = PAGE;
  const more = on(`more-${name}`);
  async function refresh() {
    const page = await call("GET", `${path}?limit=${shown}`);
    more.hidden = page.next === null;
    on(name).replaceChildren(...page[name].map(show));
    return page[name];
  }
  more.addEventListener("click", () => {
    shown += PAGE;
    guarded(refresh);
  });
  return refresh;
}

function pageLink(path, ...content) {
  const link = element("a", { href: path }, ...content);
  link.dataset.page = "";
  if (path === location.pathname) link.setAttribute("aria-current", "page");
  return link;
}

/** What it is called. Whoever publishes an agent chooses its name, so those of others show their id too. */
function label(agent) {
  if (agent.owner.username === view.user.username) return agent.name || agent.handle;
  return agent.name ? `${agent.name} · ${agent.agentId}` : agent.agentId;
}

function shownAgent(agent) {
  const dot = element("span", { className: `dot ${agent.status}`, title: agent.status });
  const status = element("span", { className: "hidden" }, `(${agent.status})`);
  return element("li", {}, pageLink(`/agents/${agent.agentId}`, dot, label(agent), " ", status));
}

function shownSession(session) {
  const name = session.name || session.handle;
  const remove = button("×", () => guarded(() => deleteSession(session.handle, name)), "remove");
  remove.setAttribute("aria-label", `Delete ${name}`);
  return element("li", {}, pageLink(`/sessions/${session.handle}`, name), remove);
}

const refreshAgents = pagedList("agents", "/api/agents", shownAgent);
const refreshSessions = pagedList("sessions", "/api/sessions", shownSession);

async function refreshLists() {
  [view.agents] = await Promise.all([refreshAgents(), refreshSessions()]);
}

async function deleteSession(handle, name) {
  on("confirm-name").textContent = name;
  on("confirm").returnValue = "keep";
  on("confirm").showModal();
  await new Promise((resolve) => on("confirm").addEventListener("close", resolve, { once: true }));
  if (on("confirm").returnValue !== "delete") return;
  await call("DELETE", `/api/sessions/${handle}`);
  if (view.session === handle) go("/");
  else await refreshSessions();
}

// --- where we are ---

function go(path) {
  history.pushState(null, "", path);
  guarded(show);
}

/** Shows what the address names, and waits for an answer that is still to come. */
async function show() {
  view.reading.abort();
  const { signal } = (view.reading = new AbortController());
  const [, kind, first, second] = location.pathname.split("/");
  Object.assign(view, {
    session: kind === "sessions" ? first : null,
    agentId: kind === "agents" ? `${first}/${second}` : null,
    isBehind: false,
  });
  openMenu(false);
  setWaiting(false);
  say("");
  conversation.clear();
  await refreshLists();
  if (signal.aborted) return;
  if (view.session) await showSession(signal);
  else await showBeginning(signal);
  // Where there is no mouse, the focus would bring up a keyboard.
  if (!signal.aborted && matchMedia("(hover: hover)").matches) on("question").focus();
}

async function showBeginning(signal) {
  const agent = view.agentId && (await call("GET", `/api/agents/${view.agentId}`, { signal }));
  const heading = agent && (agent.name ? label(agent) : agent.agentId);
  const running = view.agents.filter(({ status }) => status === "online");
  const queries = agent ? agent.queries : running.flatMap(({ queries: [one] }) => (one ? [one] : []));
  const suggestions = queries.slice(0, MOST_SUGGESTIONS);
  const text = agent
    ? agent.description || "Ask this agent something."
    : "Ask something: the agent whose examples are most like your question answers. Or choose one.";
  conversation.clear(element("div", { className: "empty" },
    element("h2", {}, heading ?? "What would you like to know?"),
    element("p", {}, view.agents.length ? text : "No agent is registered yet. Run one: python main.py"),
    ...(agent && agent.status !== "online" ? [element("p", { className: "note" }, `This agent is ${agent.status}. Start its program.`)] : []),
    element("div", { className: "suggestions" }, ...suggestions.map((query) => button(query, () => submit(query)))),
  ));
  describe(heading ?? NEW);
}

async function showSession(signal) {
  const path = `/api/sessions/${view.session}`;
  const [session, page] = await Promise.all([
    call("GET", path, { signal }),
    call("GET", `${path}/messages?before=0&limit=${MESSAGES}`, { signal }),
  ]);
  if (signal.aborted) return;
  view.agentId = session.frontendAgentId;
  showMessages(page);
  describe(session.name || session.handle);
  const last = page.messages.at(-1);
  if (last && last.type !== "response") await waitForAnswer(last.position, signal);
}

function showMessages({ messages, next }) {
  conversation.clear();
  for (const message of messages) conversation.add(message);
  if (next !== null) on("log").prepend(button("Earlier messages", () => guarded(() => showEarlier(next)), "more"));
  on("log").scrollTop = on("log").scrollHeight;
}

/** Earlier pages are shown by themselves, above what is there. */
async function showEarlier(before) {
  const path = `/api/sessions/${view.session}/messages?before=${before}&limit=${MESSAGES}`;
  const { messages, next } = await call("GET", path);
  const place = element("div");
  const earlier = new Conversation(place, submit);
  for (const message of messages) earlier.add(message);
  on("log").firstElementChild.replaceWith(place);
  if (next !== null) place.before(button("Earlier messages", () => guarded(() => showEarlier(next)), "more"));
}

function describe(title) {
  on("title").textContent = title;
  document.title = `${title} · Fixie`;
  const answeredBy = conversation.answer?.sentBy?.handle ?? view.agentId;
  const agent = view.agents.find(({ agentId }) => agentId === answeredBy);
  const model = conversation.answer?.model ?? view.user.defaultModel;
  on("offline").hidden = agent?.type === "standalone" || model !== "few-shot";
  on("state").textContent = view.session && view.agentId ? view.agentId : "";
}

// --- asking ---

function setWaiting(isWaiting) {
  view.isWaiting = isWaiting;
  on("send").textContent = isWaiting ? "Stop waiting" : "Send";
  on("send").classList.toggle("primary", !isWaiting);
}

/** Asks, in a new session where there is none, and shows what comes until the answer is there. */
async function submit(question, embeds = {}, files = []) {
  view.isBehind ||= view.isWaiting;
  view.reading.abort();
  const { signal } = (view.reading = new AbortController());
  setWaiting(true);
  say("");
  conversation.begin(question, { ...embeds, ...placeholders(files) }, files);
  const { turn } = conversation;
  turn.embeds = embeds; // without what only shows that files are on their way
  try {
    if (!view.session) await openSession(question, signal);
    const message = { text: question, embeds: await attached(turn, embeds, files, signal) };
    say("Waiting for the answer…");
    if (!(await readAnswer(message, signal))) await reconnect(question, signal);
    await refreshSessions();
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof Refused && error.isAboutTheKey) {
      on("question").value ||= question;
      chosen.add(turn.files);
    }
    report(error, () => conversation.refuse(error.message));
  } finally {
    if (!signal.aborted) setWaiting(false);
  }
  if (signal.aborted) return;
  if (view.isBehind) await guarded(show);
}

/** The embeds of a question, of which files are stored first: they stay with the turn until they are. */
async function attached(turn, embeds, files, signal) {
  if (!files.length) return embeds;
  say(files.length === 1 ? `Sending ${files[0].name}…` : `Sending ${files.length} files…`);
  const all = { ...embeds, ...(await uploadAll(view.session, files, signal)) };
  turn.files = [];
  turn.attach(all);
  return all;
}

async function openSession(question, signal) {
  const body = { frontendAgentId: view.agentId };
  const session = await call("POST", "/api/sessions", { body, signal });
  view.session = session.handle;
  history.pushState(null, "", `/sessions/${session.handle}`);
  describe(question);
}

/** Whether the answer came whole. When not, the query goes on all the same. */
async function readAnswer(message, signal) {
  let isFirst = true;
  try {
    for await (const line of ask(view.session, message, signal)) {
      conversation.add({ ...line, ...line.message }, Boolean(line.final));
      if (isFirst) refreshLists().catch(() => {}); // the session has its name now
      isFirst = false;
      if (!line.final) continue;
      say("");
      describe(on("title").textContent);
      return true;
    }
  } catch (error) {
    if (signal.aborted || error instanceof Refused) throw error;
  }
  return false;
}

async function reconnect(question, signal) {
  say("The connection broke off. The question goes on; looking for its answer…");
  const path = `/api/sessions/${view.session}/messages?before=0&limit=${MESSAGES}`;
  const page = await patiently(() => call("GET", path, { signal }), signal);
  showMessages(page);
  const last = page.messages.at(-1);
  const asked = page.messages.findLast(({ type, sentBy }) => type === "query" && sentBy?.handle === "user");
  if (last && last.type !== "response") await waitForAnswer(last.position, signal);
  else if (asked?.text === question) say("");
  else {
    say("");
    conversation.begin(question);
    conversation.refuse("The question did not reach the platform.");
  }
}

/** Looks for new messages until the last one is a response. */
async function waitForAnswer(position, signal) {
  setWaiting(true);
  say("Waiting for the answer…");
  for (let milliseconds = 300; !signal.aborted; milliseconds = Math.min(milliseconds * 1.3, 3000)) {
    const path = `/api/sessions/${view.session}/messages?after=${position}&limit=${MESSAGES}`;
    const { messages } = await patiently(() => call("GET", path, { signal }), signal);
    for (const message of messages) conversation.add(message);
    if (messages.at(-1)?.type === "response") break;
    position = messages.at(-1)?.position ?? position;
    await pause(milliseconds, signal);
  }
  if (signal.aborted) return;
  setWaiting(false);
  say("");
}

/** Tries again while the platform does not answer. */
async function patiently(get, signal) {
  for (;;) {
    try {
      return await get();
    } catch (error) {
      if (signal.aborted || error instanceof Refused) throw error;
      say("The platform does not answer. Trying again…");
      await pause(2000, signal);
    }
  }
}

function stopWaiting() {
  view.reading.abort();
  view.isBehind = true;
  setWaiting(false);
  say("You stopped waiting. The question goes on. ", button("Look for the answer", () => guarded(show), "more"));
}

// --- what can go wrong, and signing in ---

function report(error, otherwise) {
  if (error instanceof Refused && error.isAboutTheKey) {
    forgetKey();
    showSignIn(error.message);
  } else otherwise();
}

/** Runs what may fail; the person learns why, and can try it again. */
async function guarded(action) {
  const { signal } = view.reading;
  try {
    await action();
  } catch (error) {
    if (error.name === "AbortError") return;
    report(error, () => say(`${error.message} `, button("Try again", () => guarded(action), "more")));
  }
}

async function begin() {
  if (await findKey()) await start();
  else showSignIn("");
}

async function start() {
  view.user = await call("GET", "/api/user");
  hideSignIn();
  on("account").replaceChildren(
    element("a", { href: "/profile" }, view.user.username),
    ` · ${describeModel(view.user.defaultModel)}`,
  );
  await show();
}

function openMenu(isOpen) {
  document.body.classList.toggle("menu-open", isOpen);
  on("menu").setAttribute("aria-expanded", String(isOpen));
  on("backdrop").hidden = !isOpen;
}

// --- events ---

on("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = on("question").value.trim();
  if (view.isWaiting) return;
  if (!question) {
    if (!chosen.isEmpty) say("Ask something about what you attached.");
    return;
  }
  on("question").value = "";
  submit(question, {}, chosen.take());
});
on("question").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  on("composer").requestSubmit();
});
on("attach").addEventListener("click", () => on("file").click());
chosen.comeFrom(on("composer"), on("file"));
on("log").addEventListener("ended", () => guarded(async () => {
  await show();
  say("Addresses of files work for ten minutes. Here are new ones: click again.");
}));
on("send").addEventListener("click", (event) => {
  if (!view.isWaiting) return;
  event.preventDefault();
  stopWaiting();
});
on("menu").addEventListener("click", () => openMenu(on("backdrop").hidden));
on("backdrop").addEventListener("click", () => openMenu(false));
on("confirm").addEventListener("click", ({ target }) => target.value && on("confirm").close(target.value));
onSignIn(() => guarded(start));
document.addEventListener("keydown", ({ key }) => key === "Escape" && openMenu(false));
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-page]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(link.pathname);
});
window.addEventListener("popstate", () => {
  if (location.hash.startsWith("#code=")) guarded(begin);
  else if (view.user && !location.hash) guarded(show);
});
setInterval(() => {
  const isInUse = document.hidden || on("sidebar").contains(document.activeElement);
  if (view.user && on("sign-in").hidden && !isInUse) refreshLists().catch(() => {});
}, MILLISECONDS_BETWEEN_LOOKS);

guarded(begin);
