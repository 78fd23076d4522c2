// Shows messages. What agents, models and people wrote only ever becomes text nodes.

const SHOWN_LENGTH = 160;
const DEEPEST = 4;
const IMAGE = /^data:image\/(png|jpeg|gif|webp)[;,]/i;
const IMAGE_TYPE = /^image\/(png|jpeg|gif|webp)$/i;
// Addresses of the platform's own end after 9 to 10 minutes.
const OURS = `${location.origin}/attachment/`;
const MILLISECONDS_OF_AN_ADDRESS = 530_000;
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

function shownPicture(uri, text, onerror) {
  return element("img", { src: uri, alt: text, title: text, onerror });
}

/** A link to a file of ours. When its address has ended, whoever shows it is asked for new ones. */
function ownFile(name, text, uri) {
  const ends = Date.now() + MILLISECONDS_OF_AN_ADDRESS;
  const onclick = (event) => {
    if (Date.now() < ends) return;
    event.preventDefault();
    event.target.dispatchEvent(new CustomEvent("ended", { bubbles: true }));
  };
  return element("a", { className: "file", href: uri, download: name, onclick }, `Download ${text}`);
}

function shownEmbed([name, embed], showsImages) {
  // `data:base64,...` is how the first SDK wrote them.
  const uri = embed.uri.replace(/^data:base64,/i, `data:${embed.content_type};base64,`);
  const text = `${name} (${embed.content_type})`;
  const isOurs = uri.startsWith(OURS);
  if (showsImages && (IMAGE.test(uri) || (isOurs && IMAGE_TYPE.test(embed.content_type)))) {
    // What is no picture after all is offered as a file.
    return shownPicture(uri, text, ({ target }) => target.replaceWith(shownEmbed([name, embed], false)));
  }
  if (isOurs) return ownFile(name, text, uri);
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

  #attached = element("div");

  constructor(question, embeds, files) {
    this.question = question;
    this.files = files;
    this.element = element("article", { className: "turn" });
    if (question !== null) {
      const heading = element("h3", { className: "hidden" }, "You");
      const text = element("div", { className: "text" }, question);
      this.element.append(element("div", { className: "question" }, heading, text, this.#attached));
      this.attach(embeds);
    }
    this.element.append(this.#details, this.#answer);
  }

  /** Shows what came with the question, in the place of what was shown of it. */
  attach(embeds) {
    this.embeds = embeds;
    this.#attached.replaceChildren(shownEmbeds(embeds, true) ?? "");
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
  #isAtEnd = true;
  turn = null;
  /** The newest answer, as a message. */
  answer = null;

  /** `onAskAgain(question, embeds, files)`: the person wants to ask a question again that failed. */
  constructor(log, onAskAgain) {
    this.#log = log;
    this.#onAskAgain = onAskAgain;
    // Pictures grow when they have come: who reads the end goes on reading the end.
    log.addEventListener("scroll", () => (this.#isAtEnd = this.#isNearEnd()));
    log.addEventListener("load", () => this.#isAtEnd && this.#toEnd(), true);
    this.clear();
  }

  clear(...instead) {
    this.turn = null;
    this.answer = null;
    this.#log.replaceChildren(...instead);
  }

  /** `files` are those that are yet to be stored, and then become embeds. */
  begin(question, embeds = {}, files = []) {
    if (this.turn === null) this.#log.replaceChildren();
    this.turn = new Turn(question, embeds, files);
    this.#log.append(this.turn.element);
    this.#toEnd();
  }

  #isNearEnd() {
    return this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 80;
  }

  #toEnd() {
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  /** A message of the session, or a line of the stream (`final` is then set on the last). */
  add(message, isFinal = true) {
    const isNear = this.#isNearEnd();
    if (message.type === "query" && message.sentBy?.handle === "user") {
      this.begin(message.text, message.embeds);
    } else {
      if (this.turn === null) this.begin(null);
      this.#extend(message, isFinal);
    }
    if (isNear) this.#toEnd();
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

  #askAgain({ question, embeds }) {
    return question === null ? [] : [button("Ask again", () => this.#onAskAgain(question, embeds))];
  }

  /** The question of this turn was never stored: asked again, it takes the place of this one. */
  refuse(reason) {
    const { turn } = this;
    turn.showNote(reason, button("Try again", () => {
      turn.element.remove();
      this.#onAskAgain(turn.question, turn.embeds, turn.files);
    }));
  }
}
