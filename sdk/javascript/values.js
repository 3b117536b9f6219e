// Values, which the gateway computes for each request, and what is made of them.

import { known } from "./options.js";

/** A value from a text, an input or reference in `at`, or a list of these. */
export function parts(value) {
  const list = Array.isArray(value) ? value : [value];
  return list.map((part) => {
    if (part === undefined || part === null) {
      throw new Error(`a value is ${part}; it consists of texts, and of inputs and references in \`at\``);
    }
    return typeof part === "object" ? part : { tag: "literal", val: String(part) };
  });
}

/** A response: see `respond`. */
export function reply(options) {
  options = known("a response", options, ["status", "headers", "text", "bytes", "json"]);
  const { status, headers = {}, text, bytes, json } = options;
  const bodies = ["text", "bytes", "json"].filter((name) => name in options);
  if (bodies.length > 1) throw new Error(`a response takes one body, not ${bodies.join(" and ")}`);
  const fields = Object.entries(headers).map(([name, value]) => ({ name, value: parts(value) }));
  const typed = fields.some(({ name }) => name.toLowerCase() === "content-type");
  const type = (of) => {
    if (!typed) fields.push({ name: "content-type", value: parts(of) });
  };
  if (text !== undefined) type("text/plain; charset=utf-8");
  let body = { tag: "empty" };
  if (text !== undefined) body = { tag: "text", val: text };
  if (bytes !== undefined) body = { tag: "bytes", val: bytes };
  if ("json" in options) {
    const val = JSON.stringify(json);
    if (val === undefined) throw new Error(`a response's json is ${typeof json}, which JSON does not have`);
    type("application/json");
    body = { tag: "text", val };
  }
  return { status, headers: fields, body };
}

/**
 * A case that is younger than this SDK, by its name. Arguments are texts, whole numbers, booleans
 * and lists of texts.
 */
export function namedConstant(name, options = {}) {
  const entries = Object.entries(options);
  return { name, arguments: entries.map(([name, value]) => ({ name, value: constant(name, value) })) };
}

/** The same, with arguments that may also be `{ value }`, `{ values: [ … ] }` or `{ reply }`. */
export function named(name, options = {}) {
  const entries = Object.entries(options);
  return { name, arguments: entries.map(([name, value]) => ({ name, value: argument(name, value) })) };
}

function constant(name, value) {
  if (typeof value === "string") return { tag: "text", val: value };
  if (Number.isSafeInteger(value)) return { tag: "number", val: value };
  if (typeof value === "boolean") return { tag: "flag", val: value };
  if (Array.isArray(value) && value.every((text) => typeof text === "string")) {
    return { tag: "texts", val: value };
  }
  throw new Error(`the argument \`${name}\` is not a text, a whole number, a boolean or a list of texts`);
}

function argument(name, value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return constant(name, value);
  const one = known(`the argument \`${name}\``, value, ["value", "values", "reply"]);
  if ("value" in one) return { tag: "value", val: parts(one.value) };
  if ("values" in one) return { tag: "values", val: one.values.map(parts) };
  return { tag: "reply", val: reply(one.reply) };
}
