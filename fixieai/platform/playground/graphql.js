// The page: a query, its answer, and the schema to write it by.

import { Refused, findKey, forgetKey, post } from "/static/api.js";
import { element } from "/static/conversation.js";
import { Editor, coloured, tidied } from "/static/graphql_editor.js";
import { Explorer, INTROSPECTION, Schema } from "/static/graphql_schema.js";
import { hideSignIn, onSignIn, showSignIn } from "/static/sign_in.js";

const STORED = "fixie.graphql";
const LONGEST_COLOURED = 200_000;
const EXAMPLES = {
  "Who am I?": { query: "{\n  user {\n    username\n    dailyQueryLimit\n    dailyUsedQueries\n  }\n}\n" },
  "Agents": { query: "query Agents {\n  agents(first: 20) {\n    nodes {\n      agentId\n      description\n      status\n      queries\n      owner {\n        __typename\n      }\n    }\n    pageInfo {\n      hasNextPage\n      endCursor\n    }\n  }\n}\n" },
  "Conversations": { query: "query Conversations {\n  sessions(first: 10) {\n    nodes {\n      handle\n      name\n      messagesPage(first: 5) {\n        nodes {\n          position\n          type\n          text\n        }\n      }\n    }\n  }\n}\n" },
  "Begin a conversation": { query: "mutation Begin($agent: String) {\n  createSession(sessionData: { frontendAgentId: $agent }) {\n    session {\n      handle\n    }\n  }\n}\n", variables: { agent: null } },
  "Ask": { query: "mutation Ask($session: String!, $text: String!) {\n  sendSessionMessage(messageData: { session: $session, text: $text }) {\n    response {\n      text\n      sentBy {\n        handle\n      }\n    }\n  }\n}\n", variables: { session: "", text: "Roll 2d20" } },
};

const on = (id) => document.getElementById(id);
const view = { schema: null, running: null, answer: "" };
const queryEditor = new Editor(on("query-editor"), {
  onInput: keep,
  suggest: (text, caret) => view.schema?.suggest(text, caret) ?? { from: caret, options: [] },
});
const variablesEditor = new Editor(on("variables-editor"), { isJson: true, onInput: () => (keep(), readVariables()) });

// --- what is written ---

function keep() {
  sessionStorage.setItem(STORED, JSON.stringify({ query: queryEditor.text, variables: variablesEditor.text }));
}

function write(query, variables) {
  const has = variables && Object.keys(variables).length > 0;
  queryEditor.text = query;
  variablesEditor.text = has ? `${JSON.stringify(variables, null, 2)}\n` : "";
  on("variables-box").open = has;
  keep();
  readVariables();
  showPane("query");
}

function restore() {
  const kept = JSON.parse(sessionStorage.getItem(STORED) ?? "null");
  if (!kept?.query) return write(EXAMPLES["Who am I?"].query);
  queryEditor.text = kept.query;
  variablesEditor.text = kept.variables;
  on("variables-box").open = Boolean(kept.variables.trim());
}

/** The variables, or null when they are no JSON object; says so. */
function readVariables() {
  let variables = null;
  try {
    variables = JSON.parse(variablesEditor.text.trim() || "{}");
  } catch {
    // said below
  }
  const isFine = variables !== null && typeof variables === "object" && !Array.isArray(variables);
  on("variables-problem").textContent = isFine ? "" : "— not a JSON object";
  return isFine ? variables : null;
}

// --- running ---

async function run() {
  if (view.running) {
    view.running.abort();
    return;
  }
  const variables = readVariables();
  if (variables === null) {
    on("variables-box").open = true;
    on("variables").focus();
    return;
  }
  view.running = new AbortController();
  on("run").textContent = "Stop";
  say("Running…");
  showPane("answer");
  const begun = performance.now();
  try {
    const response = await post("/graphql", { query: queryEditor.text, variables }, view.running.signal);
    const text = await response.text();
    show(response, text, performance.now() - begun);
  } catch (error) {
    say(view.running.signal.aborted ? "Stopped. What it asked for may go on." : error.message, true);
  }
  view.running = null;
  on("run").textContent = "Run";
}

function show(response, text, milliseconds) {
  const content = JSON.parse(text);
  const found = content.errors ?? (content.error ? [content.error] : []);
  if (response.status === 401) {
    forgetKey();
    showSignIn(found[0].message);
    return;
  }
  const size = text.length < 1000 ? `${text.length} B` : `${(text.length / 1000).toFixed(1)} kB`;
  say(`${found.length ? "Failed" : "Answered"} in ${Math.round(milliseconds)} ms · ${size}`, found.length > 0);
  view.answer = JSON.stringify(content, null, 2);
  const shown = view.answer.length > LONGEST_COLOURED ? [view.answer] : coloured(view.answer, true);
  on("answer").replaceChildren(...found.slice(0, 3).map(problem), ...shown);
  on("answer").scrollTop = 0;
  on("copy").hidden = false;
}

function problem({ message, locations, path }) {
  const where = path ? `${path.join(".")}: ` : "";
  const line = locations?.[0] ? ` (line ${locations[0].line})` : "";
  return element("div", { className: "problem" }, where + message + line);
}

function say(text, hasFailed = false) {
  on("state").textContent = text;
  on("state").classList.toggle("failed", hasFailed);
}

// --- the page ---

function showPane(name) {
  document.body.dataset.pane = name;
  for (const each of document.querySelectorAll(".panes button")) each.setAttribute("aria-pressed", String(each.value === name));
}

async function start() {
  const response = await post("/graphql", { query: INTROSPECTION });
  const content = await response.json();
  if (!response.ok) throw new Refused(response.status, content.errors?.[0].message ?? `The platform answered ${response.status}.`);
  view.schema = new Schema(content.data);
  new Explorer({ docs: on("docs"), trail: on("trail"), search: on("search") }, view.schema, ({ query, variables }) => {
    write(query, variables);
    on("query").focus();
  });
  hideSignIn();
  const me = await (await post("/graphql", { query: "{ user { username } }" })).json();
  on("account").replaceChildren(element("a", { href: "/profile" }, me.data.user.username));
}

async function begin() {
  try {
    if (await findKey()) await start();
    else showSignIn("");
  } catch (error) {
    if (error instanceof Refused && error.isAboutTheKey) forgetKey();
    showSignIn(error.message);
  }
}

on("run").addEventListener("click", run);
on("tidy").addEventListener("click", () => {
  queryEditor.text = tidied(queryEditor.text);
  keep();
});
on("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(view.answer);
  on("copy").textContent = "Copied";
  setTimeout(() => (on("copy").textContent = "Copy"), 1500);
});
on("examples").append(...Object.keys(EXAMPLES).map((name) => element("option", { value: name }, name)));
on("examples").addEventListener("change", ({ target }) => {
  const { query, variables } = EXAMPLES[target.value];
  target.value = "";
  write(query, variables);
});
document.querySelector(".panes").addEventListener("click", ({ target }) => target.value && showPane(target.value));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !view.schema) return;
  event.preventDefault();
  run();
});
onSignIn(start);
window.addEventListener("popstate", () => location.hash.startsWith("#code=") && begin());

on("answer").append(element("p", { className: "nothing" }, "The answer will be here."));
restore();
begin();
