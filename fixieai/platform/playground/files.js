// Files that the person is about to send: chosen, dropped or pasted, shown beside the question, uploaded with it.

import { Refused, upload } from "/static/api.js";
import { button, element } from "/static/conversation.js";

const MOST_FILES = 16;
const MOST_BYTES = 32 * 1024 * 1024;
const LONGEST_KEY = 60;
const TRIES_FOR_A_KEY = 20;
const CONFLICT = 409;

/** `#key` for a file: its name without the ending, as one word. */
function keyOf({ name }) {
  const word = name.replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N}_]+/gu, "_").replace(/^_+|_+$/g, "");
  return [...word].slice(0, LONGEST_KEY).join("") || "file";
}

/** Uploads a file under the first key that is free; its key and its place, as a message has them. */
async function uploaded(session, file, signal) {
  for (let tries = 1; ; tries += 1) {
    const key = tries === 1 ? keyOf(file) : `${keyOf(file)}_${tries}`;
    try {
      const made = await upload(session, key, file, signal);
      return [made.key, { content_type: made.embed.contentType, uri: made.embed.url }];
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== CONFLICT || tries === TRIES_FOR_A_KEY) throw error;
    }
  }
}

/** All of them, in order, as the embeds of a message. */
export async function uploadAll(session, files, signal) {
  const embeds = {};
  for (const file of files) {
    const [key, embed] = await uploaded(session, file, signal);
    embeds[key] = embed;
  }
  return embeds;
}

/** What a message shows of files while they are on their way. */
export function placeholders(files) {
  return Object.fromEntries(files.map((file) => [file.name, { content_type: file.type || "file", uri: "" }]));
}

/** The files beside the question. `complain(text)` tells the person why one was not taken. */
export class ChosenFiles {
  #list;
  #complain;
  #files = [];

  constructor(list, complain) {
    this.#list = list;
    this.#complain = complain;
  }

  /** Takes what is chosen by an input, and dropped on a form or pasted into it. */
  comeFrom(form, input) {
    input.addEventListener("change", () => {
      this.add(input.files);
      input.value = "";
    });
    const take = (event, { files }) => {
      if (!files.length) return;
      event.preventDefault();
      this.add(files);
    };
    form.addEventListener("paste", (event) => take(event, event.clipboardData));
    form.addEventListener("drop", (event) => take(event, event.dataTransfer));
    // A file that is dropped elsewhere would take the place of this page.
    for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());
  }

  get isEmpty() {
    return this.#files.length === 0;
  }

  add(files) {
    for (const file of files) {
      if (file.size > MOST_BYTES) this.#complain(`${file.name} is larger than 32 MiB.`);
      else if (this.#files.length === MOST_FILES) this.#complain(`More than ${MOST_FILES} files do not go with one question.`);
      else this.#files.push(file);
    }
    this.#show();
  }

  /** The files, which are then no longer beside the question. */
  take() {
    const files = this.#files;
    this.#files = [];
    this.#show();
    return files;
  }

  #show() {
    this.#list.replaceChildren(...this.#files.map((file) => {
      const remove = button("×", () => this.#remove(file), "remove");
      remove.setAttribute("aria-label", `Do not send ${file.name}`);
      return element("li", { className: "file" }, element("span", {}, file.name), remove);
    }));
    this.#list.hidden = this.isEmpty;
  }

  #remove(file) {
    this.#files = this.#files.filter((other) => other !== file);
    this.#show();
  }
}
