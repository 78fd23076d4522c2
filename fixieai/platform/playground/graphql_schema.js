// The schema, as the platform describes it: what there is, what could come next, and how to read it.

import { button, element } from "/static/conversation.js";
import { tokens } from "/static/graphql_editor.js";

const TYPE = "kind name ofType { kind name ofType { kind name ofType { kind name } } }";
const INPUT = `name description defaultValue type { ${TYPE} }`;
export const INTROSPECTION = `query Schema { __schema { queryType { name } mutationType { name } types {
  kind name description enumValues { name description } possibleTypes { name } inputFields { ${INPUT} }
  fields { name description type { ${TYPE} } args { ${INPUT} } } } } }`;
const PREDEFINED = new Set(["String", "Int", "Float", "Boolean", "ID"]);
const MOST_FOUND = 60;

export function typeText(type) {
  if (type.kind === "NON_NULL") return `${typeText(type.ofType)}!`;
  return type.kind === "LIST" ? `[${typeText(type.ofType)}]` : type.name;
}

function nameOf(type) {
  return type.ofType ? nameOf(type.ofType) : type.name;
}

export class Schema {
  constructor(content) {
    const described = content.__schema;
    this.types = new Map(described.types.map((type) => [type.name, type]));
    this.roots = { query: described.queryType.name, mutation: described.mutationType.name };
  }

  /** All that people named, not what GraphQL itself needs. */
  get named() {
    return [...this.types.values()].filter(({ name }) => !name.startsWith("__") && !PREDEFINED.has(name));
  }

  field(typeName, name) {
    return this.types.get(typeName)?.fields?.find((field) => field.name === name);
  }

  /** An operation that uses a field of Query or Mutation, with variables for what it needs. */
  operation(kind, field) {
    const needed = field.args.filter(({ type, defaultValue }) => type.kind === "NON_NULL" && defaultValue === null);
    const title = field.name[0].toUpperCase() + field.name.slice(1);
    const declared = needed.length ? `(${needed.map(({ name, type }) => `$${name}: ${typeText(type)}`).join(", ")})` : "";
    const given = needed.length ? `(${needed.map(({ name }) => `${name}: $${name}`).join(", ")})` : "";
    const variables = Object.fromEntries(needed.map(({ name, type }) => [name, this.#sample(type)]));
    const lines = this.#selection(nameOf(field.type), "    ", 3);
    const selected = lines.length ? ` {\n${lines.join("\n")}\n  }` : "";
    return { query: `${kind} ${title}${declared} {\n  ${field.name}${given}${selected}\n}\n`, variables };
  }

  #sample(type) {
    if (type.kind === "NON_NULL") return this.#sample(type.ofType);
    if (type.kind === "LIST") return [];
    const { kind, inputFields, enumValues } = this.types.get(type.name);
    if (kind === "ENUM") return enumValues[0].name;
    if (kind !== "INPUT_OBJECT") return { Int: 0, Float: 0, Boolean: true, Upload: null }[type.name] ?? "";
    const needed = inputFields.filter((field) => field.type.kind === "NON_NULL");
    return Object.fromEntries(needed.map((field) => [field.name, this.#sample(field.type)]));
  }

  #selection(typeName, indent, depth) {
    const { kind, fields } = this.types.get(typeName);
    if (kind === "UNION") return [`${indent}__typename`];
    return (fields ?? []).flatMap(({ name, type, args }) => {
      const isPlain = ["SCALAR", "ENUM"].includes(this.types.get(nameOf(type)).kind);
      if (isPlain) return args.length ? [] : [`${indent}${name}`];
      const goesOn = depth > 1 && !args.length && (depth === 3 ? this.#wraps(typeName) || name === "owner" : ["node", "nodes", "pageInfo"].includes(name) && name !== "node");
      const below = goesOn ? this.#selection(nameOf(type), `${indent}  `, depth - 1) : [];
      return below.length ? [`${indent}${name} {`, ...below, `${indent}}`] : [];
    });
  }

  /** Whether a type is there for what it holds: payloads, and pages. */
  #wraps(typeName) {
    return /Payload$|Connection$/.test(typeName);
  }

  /** What could stand at the caret: `{from, options}`. */
  suggest(text, caret) {
    const from = caret - text.slice(0, caret).match(/[\w$]*$/)[0].length;
    const typed = text.slice(from, caret).toLowerCase();
    const place = this.#placeAt(tokens(text.slice(0, from)));
    const options = place.filter(({ label }) => label.toLowerCase().startsWith(typed));
    const others = typed ? place.filter(({ label }) => label.toLowerCase().indexOf(typed) > 0) : [];
    return { from, options: [...options, ...others] };
  }

  #placeAt(before) {
    let stack = [{ kind: "document", operation: "query" }];
    let [last, secondLast] = ["", ""];
    for (const { kind, text } of before) {
      if (kind === "comment") continue;
      const top = stack.at(-1);
      if (text === "{") stack.push(this.#opened(top, last));
      else if (text === "(" || text === "[") stack.push(text === "(" ? { kind: "arguments", of: top.field } : { ...top });
      else if ("})]".includes(text)) {
        if (stack.length > 1) stack.pop();
        if (stack.length === 1) stack = [{ kind: "document", operation: "query" }];
      } else if (kind === "name") this.#named(top, text, last, secondLast);
      [secondLast, last] = [last, text];
    }
    return this.#options(stack.at(-1), last);
  }

  #named(place, text, last, secondLast) {
    if (place.kind === "document") {
      if (text === "query" || text === "mutation") place.operation = text;
      if (last === "on") place.on = text;
    } else if (place.kind === "selection") {
      if (last === "on" && secondLast === "...") place.on = text;
      else if (last !== "..." && last !== "@") [place.field, place.on] = [this.field(place.type, text), null];
    } else if (last !== ":") place.argument = text;
  }

  #opened(place, last) {
    if (place.kind === "document") return { kind: "selection", type: place.on ?? this.roots[place.operation] };
    if (place.kind === "selection") {
      const type = place.on ?? (last === "..." ? place.type : place.field && nameOf(place.field.type));
      return { kind: "selection", type };
    }
    const input = this.#inputs(place).find(({ name }) => name === place.argument);
    return { kind: "input", type: input && nameOf(input.type) };
  }

  #inputs(place) {
    return (place.kind === "arguments" ? place.of?.args : this.types.get(place.type)?.inputFields) ?? [];
  }

  #options(place, last) {
    const described = ({ name, type }) => ({ label: name, detail: type ? typeText(type) : "" });
    if (place.kind === "document") {
      if (last === ":") return this.named.filter(({ kind }) => /INPUT|SCALAR|ENUM/.test(kind)).map(described);
      return ["query", "mutation", "fragment"].map((name) => described({ name }));
    }
    if (place.kind === "selection") {
      const type = this.types.get(place.type);
      if (last === "on") return (type?.possibleTypes ?? []).map(({ name }) => described({ name }));
      if (last === "...") return [described({ name: "on" })];
      if (last === "@") return ["include", "skip"].map((name) => described({ name }));
      return [...(type?.fields ?? []).map(described), { label: "__typename", detail: "String!" }];
    }
    if (last !== ":") return this.#inputs(place).map(described);
    const input = this.#inputs(place).find(({ name }) => name === place.argument);
    const values = this.types.get(input && nameOf(input.type));
    return values?.name === "Boolean" ? ["true", "false"].map((name) => described({ name })) : (values?.enumValues ?? []).map(described);
  }
}

/** The pane on the left: a type at a time, or what was searched for. */
export class Explorer {
  constructor({ docs, trail, search }, schema, onUse) {
    this.#places = { docs, trail, search };
    this.#schema = schema;
    this.#onUse = onUse;
    search.addEventListener("input", () => this.show());
    this.show();
  }
  #places; #schema; #onUse; #path = [];

  open(typeName) {
    const known = this.#path.indexOf(typeName);
    this.#path = known >= 0 ? this.#path.slice(0, known + 1) : [...this.#path, typeName];
    this.#places.search.value = "";
    this.show();
    this.#places.docs.scrollTop = 0;
    this.#places.docs.focus({ preventScroll: true });
  }

  show() {
    const wanted = this.#places.search.value.trim().toLowerCase();
    const type = this.#schema.types.get(this.#path.at(-1));
    this.#showTrail();
    this.#places.docs.replaceChildren(...(wanted ? this.#found(wanted) : type ? this.#type(type) : this.#beginning()));
  }

  #showTrail() {
    const home = button("Schema", () => {
      this.#path = [];
      this.#places.search.value = "";
      this.show();
    });
    const steps = this.#path.map((name, at) => (at === this.#path.length - 1 ? name : this.#link(name)));
    this.#places.trail.replaceChildren(...(steps.length ? [home, ...steps.flatMap((step) => [" › ", step])] : []));
  }

  #link(typeName, text = typeName) {
    return this.#schema.types.has(typeName) && !PREDEFINED.has(typeName) ? button(text, () => this.open(typeName), "link") : text;
  }

  #beginning() {
    const { query, mutation } = this.#schema.roots;
    const kinds = { OBJECT: "Types", UNION: "Types", INPUT_OBJECT: "Inputs", ENUM: "Values to choose from", SCALAR: "Plain values" };
    const groups = Map.groupBy ? Map.groupBy(this.#others(), ({ kind }) => kinds[kind]) : new Map([["Types", this.#others()]]);
    return [
      element("h3", {}, "Queries"), this.#fields(this.#schema.types.get(query), "query"),
      element("h3", {}, "Mutations"), this.#fields(this.#schema.types.get(mutation), "mutation"),
      ...[...groups].flatMap(([title, types]) => [
        element("h3", {}, title),
        element("ul", {}, ...types.map((type) => element("li", {}, element("div", { className: "signature" }, this.#link(type.name))))),
      ]),
    ];
  }

  #others() {
    const roots = Object.values(this.#schema.roots);
    return this.#schema.named.filter(({ name }) => !roots.includes(name)).sort((one, other) => one.name.localeCompare(other.name));
  }

  #type(type) {
    const values = type.enumValues?.map(({ name, description }) => element("li", {},
      element("div", { className: "signature" }, name), ...this.#said(description)));
    const members = type.possibleTypes?.map(({ name }) => element("li", {}, element("div", { className: "signature" }, this.#link(name))));
    return [
      element("h2", {}, type.name), ...this.#said(type.description),
      ...(type.fields || type.inputFields ? [this.#fields(type)] : []),
      ...(values ? [element("ul", {}, ...values)] : []),
      ...(members ? [element("h3", {}, "One of"), element("ul", {}, ...members)] : []),
    ];
  }

  #fields(type, kind) {
    return element("ul", {}, ...(type.fields ?? type.inputFields).map((field) => this.#field(field, kind)));
  }

  #field(field, kind, owner) {
    const use = kind && button("Use", () => this.#onUse(this.#schema.operation(kind, field)), "button use");
    use?.setAttribute("aria-label", `Use ${field.name} in the query`);
    const name = element("span", { className: "field" }, field.name);
    const args = (field.args ?? []).map((argument) => this.#argument(argument));
    const signature = element("div", { className: "signature" },
      ...(owner ? [this.#link(owner), "."] : []), name, ...(args.length ? ["(", ...args, ")"] : []), ": ",
      this.#link(nameOf(field.type), typeText(field.type)), ...this.#default(field));
    return element("li", {}, signature, ...this.#said(field.description), ...(use ? [use] : []));
  }

  #argument(argument) {
    return element("span", { className: "argument", title: argument.description ?? "" },
      element("span", { className: "variable" }, argument.name), ": ",
      this.#link(nameOf(argument.type), typeText(argument.type)), ...this.#default(argument));
  }

  #default({ defaultValue }) {
    return defaultValue === null || defaultValue === undefined ? [] : [" = ", element("span", { className: "number" }, defaultValue)];
  }

  #said(description) {
    if (!description) return [];
    const parts = description.split("`").map((part, at) => (at % 2 ? element("code", {}, part) : part));
    return [element("p", { className: "said" }, ...parts)];
  }

  #found(wanted) {
    const matches = (name, description) => name.toLowerCase().includes(wanted) || (description ?? "").toLowerCase().includes(wanted);
    const kinds = Object.fromEntries(Object.entries(this.#schema.roots).map(([kind, name]) => [name, kind]));
    const items = this.#schema.named.flatMap((type) => [
      ...(matches(type.name, "") ? [element("li", {}, element("div", { className: "signature" }, this.#link(type.name)), ...this.#said(type.description))] : []),
      ...(type.fields ?? type.inputFields ?? []).filter(({ name, description }) => matches(name, description))
        .map((field) => this.#field(field, kinds[type.name], type.name)),
    ]);
    if (!items.length) return [element("p", {}, "Nothing of that name.")];
    return [element("ul", {}, ...items.slice(0, MOST_FOUND))];
  }
}
