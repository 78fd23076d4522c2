// Shows messages. What agents, models and people wrote only ever becomes text nodes.

const SHOWN_LENGTH = 160;
const DEEPEST = 4;
const IMAGE = /^data:image\/(png|jpeg|gif|webp)[;,]/i;
const LINK = /^(data|https?):/i;
// Without what rather ends the sentence that an address stands in.
const ADDRESS = /(https?:\/\/[^\s<>"]*[^\s<>"'.,;:!?)\]}])/i;

/** A new element; children that are strings become text. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

export function button(text, onclick, className = "button") {
  return element("button", { type: "button", className, onclick }, text);
}

export function describeModel(model) {
  return model === "few-shot" ? "offline few-shot model" : model;
}

/** Addresses of the web in a text become links that read as what they are. */
function linked(text) {
  return text.split(ADDRESS).map((part, index) => index % 2 === 0 ? part : element("a", {
    href: part,
    target: "_blank",
    rel: "noopener noreferrer",
  }, part));
}

function shownEmbed([name, embed], showsImages) {
  // `data:base64,...` is how the first SDK wrote them.
  const uri = embed.uri.replace(/^data:base64,/i, `data:${embed.content_type};base64,`);
  if (showsImages && IMAGE.test(uri)) {
    return element("img", { src: uri, alt: `${name} (${embed.content_type})` });
  }
  const text = `${name} (${embed.content_type})`;
  if (!LINK.test(uri)) return element("span", { className: "file" }, text);
  const isData = /^data:/i.test(uri);
  return element("a", {
    className: "file",
    href: uri,
    rel: "noopener noreferrer",
    ...(isData ? { download: name } : { target: "_blank" }),
  }, isData ? `Download ${text}` : `Open ${text}`);
}

function shownEmbeds(embeds, showsImages) {
  const all = Object.entries(embeds ?? {}).map((entry) => shownEmbed(entry, showsImages));
  return all.length ? element("div", { className: "embeds" }, ...all) : null;
}

function shownStep({ type, text, embeds }) {
  const colon = type === "routing" ? -1 : text.indexOf(": ") + 1;
  const label = element("span", { className: "label" }, type === "routing" ? "Goes to" : text.slice(0, colon));
  const said = colon < 0 ? text : text.slice(colon).trim();
  const files = shownEmbeds(embeds, false);
  if (said.length <= SHOWN_LENGTH && !said.includes("\n")) return [label, " ", said, files];
  const beginning = said.split("\n", 1)[0].slice(0, SHOWN_LENGTH);
  const summary = element("summary", {}, label, " ", element("span", { className: "beginning" }, `${beginning}…`));
  return [element("details", {}, summary, element("pre", {}, said)), files];
}

/** A question with what came of it. */
class Turn {
  #depth = 0;
  #steps = element("ol");
  #count = element("summary");
  #details = element("details", { className: "steps", open: true, hidden: true }, this.#count, this.#steps);
  #answer = element("div", { className: "answer" });

  constructor(question, embeds) {
    this.question = question;
    this.element = element("article", { className: "turn" });
    if (question !== null) {
      const heading = element("h3", { className: "hidden" }, "You");
      const text = element("div", { className: "text" }, question);
      this.element.append(element("div", { className: "question" }, heading, text, shownEmbeds(embeds, true)));
    }
    this.element.append(this.#details, this.#answer);
  }

  addStep(message) {
    if (message.type === "agent_says" && this.#depth > 0) this.#depth -= 1;
    const item = element("li", { className: message.type }, ...shownStep(message));
    item.dataset.depth = Math.min(this.#depth, DEEPEST);
    if (message.type === "ask_agent") this.#depth += 1;
    this.#steps.append(item);
    const steps = this.#steps.childElementCount;
    this.#count.textContent = steps === 1 ? "1 step" : `${steps} steps`;
    this.#details.hidden = false;
  }

  showAnswer({ text, embeds, sentBy, model }, isFinal) {
    const by = [sentBy?.handle, describeModel(model)].filter(Boolean).join(" · ");
    // Readers of the screen hear the answer once, when it is whole.
    this.#answer.setAttribute("aria-busy", String(!isFinal));
    this.#answer.replaceChildren(
      element("h3", { className: "hidden" }, sentBy?.handle ?? "Answer"),
      element("div", { className: "text" }, ...linked(text)),
      shownEmbeds(embeds, true) ?? "",
      element("p", { className: "byline" }, by),
    );
  }

  /** Instead of an answer: why there is none, and what can be done. */
  showNote(text, ...actions) {
    this.#answer.setAttribute("aria-busy", "false");
    this.#answer.replaceChildren(element("div", { className: "note", role: "alert" }, element("p", {}, text), ...actions));
  }
}

export class Conversation {
  #log;
  #onAskAgain;
  turn = null;
  /** The newest answer, as a message. */
  answer = null;

  /** `onAskAgain(question)`: the person wants to ask a question again that failed. */
  constructor(log, onAskAgain) {
    this.#log = log;
    this.#onAskAgain = onAskAgain;
    this.clear();
  }

  clear(...instead) {
    this.turn = null;
    this.answer = null;
    this.#log.replaceChildren(...instead);
  }

  begin(question, embeds = {}) {
    if (this.turn === null) this.#log.replaceChildren();
    this.turn = new Turn(question, embeds);
    this.#log.append(this.turn.element);
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  /** A message of the session, or a line of the stream (`final` is then set on the last). */
  add(message, isFinal = true) {
    const isNear = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 80;
    if (message.type === "query" && message.sentBy?.handle === "user") {
      this.begin(message.text, message.embeds);
    } else {
      if (this.turn === null) this.begin(null);
      this.#extend(message, isFinal);
    }
    if (isNear) this.#log.scrollTop = this.#log.scrollHeight;
  }

  #extend(message, isFinal) {
    const { turn } = this;
    if (message.type !== "response") turn.addStep(message);
    else if (message.error || message.sentBy?.handle === "platform") {
      turn.showNote(message.text, ...this.#askAgain(turn));
    } else {
      turn.showAnswer(message, isFinal);
      this.answer = message;
    }
  }

  #askAgain({ question }) {
    return question === null ? [] : [button("Ask again", () => this.#onAskAgain(question))];
  }

  /** The question of this turn was never stored: asked again, it takes the place of this one. */
  refuse(reason) {
    const { turn } = this;
    turn.showNote(reason, button("Try again", () => {
      turn.element.remove();
      this.#onAskAgain(turn.question);
    }));
  }
}
