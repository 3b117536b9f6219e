// The effects of the contract, from options whose defaults are added. They are documented at the
// methods of `Verdict`.

import { given, known, oneOf } from "./options.js";
import { parts, reply } from "./values.js";

const BUCKET = ["tokens", "periodMs", "burst", "key", "absent", "bucket"];

export function take(options) {
  options = known("take", options, [...BUCKET, "cost", "otherwise"]);
  const { cost: amount = 1, otherwise = { status: 429 } } = options;
  return { bucket: bucket("take", options), cost: cost("take", amount), otherwise: reply(otherwise) };
}

export function charge(options) {
  options = known("charge", options, [...BUCKET, "cost", "debt"]);
  const { cost: amount = 1, debt = 0 } = options;
  return { bucket: bucket("charge", options), cost: cost("charge", amount), debt };
}

export function concurrency(options) {
  options = known("concurrency", options, ["most", "key", "absent", "name", "otherwise"]);
  const { most, key = [], name = "", otherwise = { status: 429 } } = options;
  return { name, key: parts(key), absent: absence("concurrency", options), most, otherwise: reply(otherwise) };
}

export function verify(options) {
  const { secret, algorithm, message, signature, encoding = "hex", prefix = "", otherwise = { status: 401 } } =
    known("verify", options, [
      "secret",
      "algorithm",
      "message",
      "signature",
      "encoding",
      "prefix",
      "otherwise",
    ]);
  return {
    secret,
    algorithm,
    message: parts(message),
    signature: parts(signature),
    encoding: oneOf("`encoding` of verify", encoding, ["hex", "base64", "base64url"]),
    prefix,
    otherwise: reply(otherwise),
  };
}

export function split(options) {
  const { weights, sticky } = known("split", options, ["weights", "sticky"]);
  return {
    weights: Object.entries(weights ?? {}).map(([upstream, weight]) => ({ upstream, weight })),
    sticky: sticky === undefined ? undefined : parts(sticky),
  };
}

export function cacheLookup(options) {
  const { query = "whole", varyOn = [], bypass } = known("cacheLookup", options, [
    "query",
    "varyOn",
    "bypass",
  ]);
  return { query: queryKey(query), varyOn: varyOn.map(parts), bypass };
}

export function cacheRule(options) {
  const {
    name,
    store = "by-fields",
    browser,
    cdn,
    staleWhileRevalidate,
    staleIfError,
    shared = false,
  } = known("cacheRule", options, [
    "name",
    "store",
    "browser",
    "cdn",
    "staleWhileRevalidate",
    "staleIfError",
    "shared",
  ]);
  const STORAGES = ["by-fields", "by-fields-or-heuristic", "never"];
  return {
    name,
    store:
      typeof store === "number"
        ? { tag: "seconds", val: store }
        : { tag: oneOf("`store` of cacheRule", store, STORAGES) },
    browser,
    cdn,
    staleWhileRevalidate,
    staleIfError,
    shared,
  };
}

export function purge(options) {
  const { url, prefix, tag, soft = false } = known("purge", options, ["url", "prefix", "tag", "soft"]);
  const scopes = Object.entries(given({ url, prefix, tagged: tag }));
  if (scopes.length > 1) throw new Error("purge takes one of url, prefix and tag");
  const [scope] = scopes.map(([kind, value]) => ({ tag: kind, val: parts(value) }));
  return { scope: scope ?? { tag: "site" }, soft };
}

export function ban(options) {
  const { subject, after = 1, withinSeconds = 60, forSeconds, reason } = known("ban", options, [
    "subject",
    "after",
    "withinSeconds",
    "forSeconds",
    "reason",
  ]);
  return { subject: parts(subject), after, withinSeconds, forSeconds, reason };
}

function bucket(what, options) {
  const { tokens, periodMs, burst = 0, key = [], bucket: name = "" } = options;
  return { name, key: parts(key), absent: absence(what, options), tokens, periodMs, burst };
}

function absence(what, { absent = "share" }) {
  return oneOf(`\`absent\` of ${what}`, absent, ["share", "refuse", "skip"]);
}

/** A number of tokens, or one that the request states. */
function cost(what, given) {
  if (typeof given !== "object") return { tag: "tokens", val: given };
  const { amount, otherwise = 1, most } = known(`\`cost\` of ${what}`, given, ["amount", "otherwise", "most"]);
  return { tag: "measured", val: { amount: parts(amount), otherwise, most } };
}

function queryKey(query) {
  if (typeof query === "string") {
    return { tag: oneOf("`query` of cacheLookup", query, ["whole", "sorted", "ignored"]) };
  }
  const keys = Object.entries(known("`query` of cacheLookup", query, ["only", "without"]));
  if (keys.length !== 1) throw new Error("`query` of cacheLookup takes one of only and without");
  const [[tag, val]] = keys;
  return { tag, val };
}
