// A text field that shows what is typed in colours, and suggests what could come next.

import { element } from "/static/conversation.js";

const QUERY_TOKENS = /(?<comment>#[^\n]*)|(?<string>"""[^]*?(?:"""|$)|"(?:[^"\\\n]|\\.)*"?)|(?<number>-?\d[\d.eE+-]*)|(?<variable>\$\w*)|(?<name>[_A-Za-z]\w*)|(?<mark>\.\.\.|[{}()[\]:!=@|&,])/gu;
const JSON_TOKENS = /(?<key>"(?:[^"\\\n]|\\.)*"(?=\s*:))|(?<string>"(?:[^"\\\n]|\\.)*"?)|(?<number>-?\d[\d.eE+-]*)|(?<keyword>true|false|null)/gu;
const KEYWORDS = new Set(["query", "mutation", "fragment", "on", "true", "false", "null"]);
const MOST_SUGGESTIONS = 60;

/** `{kind, text, start}` of everything but white space and commas. */
export function tokens(text) {
  return [...text.matchAll(QUERY_TOKENS)].map((match) => {
    const [kind] = Object.entries(match.groups).find(([, value]) => value !== undefined);
    return { kind, text: match[0], start: match.index };
  });
}

/** The text as nodes, each token in its colour. */
export function coloured(text, isJson) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(isJson ? JSON_TOKENS : QUERY_TOKENS)) {
    const [kind, value] = Object.entries(match.groups).find(([, found]) => found !== undefined);
    if (match.index > end) nodes.push(text.slice(end, match.index));
    nodes.push(element("span", { className: colour(kind, value) }, value));
    end = match.index + value.length;
  }
  nodes.push(text.slice(end));
  return nodes;
}

function colour(kind, text) {
  if (kind !== "name") return kind;
  if (KEYWORDS.has(text)) return "keyword";
  return /^[A-Z]/.test(text) ? "type" : "field";
}

/** One selection a line, two spaces a level. */
export function tidied(text) {
  let [out, level, parens] = ["", 0, 0];
  const line = () => (out = out.trimEnd() + (out ? "\n" : "") + "  ".repeat(level));
  let before = "";
  for (const { kind, text: token } of tokens(text)) {
    const isInSelection = level > 0 && parens === 0;
    const begins = isInSelection && (kind === "name" || token === "...") && !["...", ":", "@", "on"].includes(before);
    if (kind === "comment") {
      line();
      out += token;
    } else if (token === "{" && parens === 0) {
      out = `${out.trimEnd()}${level || before ? " " : ""}{`;
      level += 1;
    } else if (token === "}" && parens === 0) {
      level = Math.max(0, level - 1);
      line();
      out += "}";
      if (level === 0) out += "\n\n";
    } else {
      if (begins || before.startsWith("#")) line();
      out += spaced(out, before, token);
    }
    if ("([".includes(token)) parens += 1;
    if (token === "{" && parens > 0) parens += 1;
    if (")]".includes(token) || (token === "}" && parens > 0)) parens -= 1;
    before = token;
  }
  return `${out.trim()}\n`;
}

function spaced(out, before, token) {
  const isTight = /[\s([]$|\.\.\.$|@$|^$/.test(out) || [")", "]", ":", "!", "("].includes(token);
  if (token === ",") return ",";
  if (before === "..." && token === "on") return " on";
  return (isTight ? "" : " ") + token;
}

export class Editor {
  /** `suggest(text, caret)` gives `{from, options: [{label, detail}]}`. */
  constructor(box, { isJson = false, onInput, suggest } = {}) {
    this.box = box;
    this.field = box.querySelector("textarea");
    this.#shown = box.querySelector("pre");
    this.#isJson = isJson;
    this.#suggest = suggest;
    this.#list = document.getElementById("suggestions");
    this.field.addEventListener("input", (event) => {
      this.#show();
      onInput?.();
      this.#offer(event.inputType === "insertText" && /[\w$]/.test(event.data ?? ""));
    });
    this.field.addEventListener("keydown", (event) => this.#press(event));
    this.field.addEventListener("blur", () => this.#close());
    this.field.addEventListener("click", () => this.#close());
    this.#show();
  }
  #shown; #isJson; #suggest; #list; #options = []; #from = 0; #chosen = 0;

  get text() {
    return this.field.value;
  }

  set text(text) {
    this.field.value = text;
    this.field.setSelectionRange(0, 0);
    this.box.scrollTop = 0;
    this.#show();
  }

  /** Puts text in place of a part, as if typed: it can be undone. */
  #replace(start, end, text) {
    this.field.setSelectionRange(start, end);
    if (!document.execCommand("insertText", false, text)) this.field.setRangeText(text, start, end, "end");
    this.#show();
  }

  #show() {
    this.#shown.replaceChildren(...coloured(this.field.value, this.#isJson), "\n");
  }

  #press(event) {
    const isOpen = this.#options.length > 0;
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      this.#offer(true);
    } else if (isOpen && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      event.preventDefault();
      this.#choose(this.#chosen + (event.key === "ArrowDown" ? 1 : -1));
    } else if (isOpen && ["Enter", "Tab"].includes(event.key) && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      this.#accept();
    } else if (isOpen && event.key === "Escape") {
      event.preventDefault();
      this.#close();
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && !event.isComposing) {
      event.preventDefault();
      this.#newLine();
    } else if ("{([".includes(event.key)) this.#openPair(event);
    else if ("})]".includes(event.key)) this.#closePair(event);
  }

  #newLine() {
    const { selectionStart: start, selectionEnd: end, value } = this.field;
    const indent = value.slice(value.lastIndexOf("\n", start - 1) + 1, start).match(/^ */)[0];
    const opens = /[{([]$/.test(value.slice(0, start).trimEnd());
    const closes = opens && /^[})\]]/.test(value.slice(end));
    this.#replace(start, end, `\n${indent}${opens ? "  " : ""}${closes ? `\n${indent}` : ""}`);
    if (closes) this.field.setSelectionRange(start + indent.length + 3, start + indent.length + 3);
  }

  #openPair(event) {
    const { selectionStart: start, selectionEnd: end, value } = this.field;
    if (start !== end || /\w/.test(value[end] ?? "")) return;
    event.preventDefault();
    this.#replace(start, end, event.key + { "{": "}", "(": ")", "[": "]" }[event.key]);
    this.field.setSelectionRange(start + 1, start + 1);
  }

  /** What was closed already is passed over. */
  #closePair(event) {
    const { selectionStart: start, selectionEnd: end, value } = this.field;
    if (start !== end || value[end] !== event.key) return;
    event.preventDefault();
    this.field.setSelectionRange(end + 1, end + 1);
  }

  #offer(isWanted) {
    this.#close();
    if (!isWanted || !this.#suggest || this.field.selectionStart !== this.field.selectionEnd) return;
    const caret = this.field.selectionStart;
    const { from, options } = this.#suggest(this.field.value, caret);
    const typed = this.field.value.slice(from, caret);
    if (!options.length || (options.length === 1 && options[0].label === typed)) return;
    this.#from = from;
    this.#options = options.slice(0, MOST_SUGGESTIONS);
    this.#list.replaceChildren(...this.#options.map((option, position) => this.#item(option, position)));
    this.#list.hidden = false;
    this.#place(from);
    this.#choose(0);
  }

  #item({ label, detail }, position) {
    const item = element("li", { id: `suggestion-${position}` }, label, element("span", {}, detail));
    item.setAttribute("role", "option");
    item.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      this.#choose(position);
      this.#accept();
    });
    return item;
  }

  /** Below the place in the text, which the coloured copy knows; above it where there is no room. */
  #place(offset) {
    const { left, bottom, top } = this.#rectangleAt(offset);
    const { offsetWidth: width, offsetHeight: height } = this.#list;
    const isBelow = bottom + height + 8 < innerHeight;
    this.#list.style.left = `${Math.max(4, Math.min(left - 8, innerWidth - width - 8))}px`;
    this.#list.style.top = `${isBelow ? bottom + 4 : Math.max(4, top - height - 4)}px`;
  }

  #rectangleAt(offset) {
    const walker = document.createTreeWalker(this.#shown, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (offset <= node.data.length) {
        const range = document.createRange();
        range.setStart(node, offset);
        range.setEnd(node, Math.min(node.data.length, offset + 1));
        return range.getClientRects()[0] ?? this.#shown.getBoundingClientRect();
      }
      offset -= node.data.length;
    }
    return this.#shown.getBoundingClientRect();
  }

  #choose(position) {
    const count = this.#options.length;
    this.#chosen = (position + count) % count;
    [...this.#list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === this.#chosen)));
    this.#list.children[this.#chosen].scrollIntoView({ block: "nearest" });
    this.field.setAttribute("aria-activedescendant", `suggestion-${this.#chosen}`);
  }

  #accept() {
    const { label } = this.#options[this.#chosen];
    const caret = this.field.selectionStart;
    this.#close();
    this.#replace(this.#from, caret, label);
    this.#close(); // what was put in is input, too
  }

  #close() {
    this.#options = [];
    this.#list.hidden = true;
    this.field.removeAttribute("aria-activedescendant");
  }
}
