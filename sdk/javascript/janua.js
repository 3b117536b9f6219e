/**
 * Write a Janua policy in JavaScript.
 *
 * The contract requires all lists and tags, and an Error for each failure: another
 * thrown value would end the instance. This module adds them, passes inputs by name, and
 * converts thrown values.
 *
 * All objects with options are checked for unknown keys, because a misspelt phase or
 * option would silently do nothing. A key whose value is `undefined` counts as not given.
 */

/** Inputs without an argument: `input.clientIp`. */
const PLAIN = {
  method: "method",
  scheme: "scheme",
  httpVersion: "http-version",
  clientIp: "client-ip",
  peerIp: "peer-ip",
  requestId: "request-id",
  site: "site",
  route: "route",
  originalHost: "original-host",
  originalPath: "original-path",
  originalQuery: "original-query",
  host: "host",
  path: "path",
  rawPath: "raw-path",
  extension: "extension",
  query: "query",
  tlsVersion: "tls-version",
  tlsServerName: "tls-server-name",
  tlsClientSubject: "tls-client-subject",
  tlsClientFingerprint: "tls-client-fingerprint",
  now: "now",
  status: "status",
  answeredBy: "answered-by",
};

/** Inputs with an argument: `input.header("x-tenant")`. */
const NAMED = {
  header: "header",
  headerPresent: "header-present",
  cookie: "cookie",
  cookiePresent: "cookie-present",
  queryParameter: "query-parameter",
  rawQueryParameter: "raw-query-parameter",
  bodyText: "body-text",
  bodyBase64: "body-base64",
  responseHeader: "response-header",
  responseHeaderPresent: "response-header-present",
};

/** The inputs of the contract. */
export const input = Object.freeze({
  ...Object.fromEntries(Object.entries(PLAIN).map(([name, tag]) => [name, { tag }])),
  ...Object.fromEntries(
    Object.entries(NAMED).map(([name, tag]) => [
      name,
      (of) => ({ tag, val: tag.includes("header") ? of.toLowerCase() : of }),
    ]),
  ),
});

/** Declares an input as sensitive: `sensitive(input.header("x-api-key"))`. */
export const sensitive = (input) => ({ ...input, sensitive: true });

/** The decision of a policy. It is reused only after `untilReload` or `forSeconds`. */
export class Verdict {
  constructor(outcome) {
    this.contract = { outcome, edits: [], effects: [], reuse: { tag: "never" }, note: undefined };
  }
  /** Replaces all lines of the field by one. An absent value removes the field. */
  setHeader(name, value) {
    return this.edit("set-header", { name, value: parts(value) });
  }
  /** Adds a line of the field. */
  appendHeader(name, value) {
    return this.edit("append-header", { name, value: parts(value) });
  }
  /** Adds the field if there is no line of it. */
  defaultHeader(name, value) {
    return this.edit("default-header", { name, value: parts(value) });
  }
  /** Removes all lines of the field. */
  removeHeader(name) {
    return this.edit("remove-header", name);
  }
  /**
   * Replaces the path. Phase `request` only. The inputs `path` and `original-path` go in as
   * they are, others as a part of one segment: `/` as `%2F`. Text that the policy makes itself
   * is not encoded.
   */
  setPath(value) {
    return this.edit("set-path", parts(value));
  }
  /**
   * Replaces the query, without `?`. Phase `request` only. The inputs `query`,
   * `original-query` and `raw-query-parameter` go in as they are, others as the value of one
   * parameter: `&` as `%26`.
   */
  setQuery(value) {
    return this.edit("set-query", parts(value));
  }
  /** Replaces the status. Not in the phase `request`. */
  setStatus(status) {
    return this.edit("set-status", status);
  }
  /**
   * Takes tokens from a token bucket of the gateway. `otherwise` is the response if there
   * are not enough, with the options of `respond`; by default a 429. Phase `request` only.
   */
  take(options) {
    options = known("take", options, [
      "tokens",
      "periodMs",
      "burst",
      "cost",
      "key",
      "absent",
      "bucket",
      "otherwise",
    ]);
    const { tokens, periodMs, burst = 0, cost = 1, key = [], bucket = "", otherwise } = options;
    const absent = oneOf("`absent` of take", options.absent ?? "share", ["share", "refuse", "skip"]);
    const refusal = reply(otherwise ?? { status: 429 });
    return this.effect("take", {
      bucket,
      key: parts(key),
      absent,
      tokens,
      periodMs,
      burst,
      cost,
      otherwise: refusal,
    });
  }
  /**
   * Sets the cache key of the request. Phase `request` only. `query` is the part of the
   * query in the key: "whole", "sorted", "ignored", `{ only: ["page"] }` or
   * `{ without: ["utm_*"] }`. The values of `varyOn` are added to the key. `bypass` is a
   * reason to neither look up nor store.
   */
  cacheLookup(options = {}) {
    const { query = "whole", varyOn = [], bypass } = known("cacheLookup", options, [
      "query",
      "varyOn",
      "bypass",
    ]);
    return this.effect("cache-lookup", {
      query: queryKey(query),
      varyOn: varyOn.map(parts),
      bypass,
    });
  }
  /**
   * Sets whether and for how long the response is stored. Phase `fetched` only. `store` is
   * "by-fields", "by-fields-or-heuristic", "never" or a number of seconds.
   */
  cacheRule(options) {
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
    return this.effect("cache-rule", {
      name,
      store:
        typeof store === "number"
          ? { tag: "seconds", val: store }
          : {
              tag: oneOf("`store` of cacheRule", store, [
                "by-fields",
                "by-fields-or-heuristic",
                "never",
              ]),
            },
      browser,
      cdn,
      staleWhileRevalidate,
      staleIfError,
      shared,
    });
  }
  /** Adds the cache tags in this value, separated by commas or spaces. Phase `fetched` only. */
  tag(value) {
    return this.effect("tag", parts(value));
  }
  /**
   * Purges the stored responses of `{ url }`, `{ prefix }` or `{ tag }`, or by default all
   * of this site. With `soft: true` they become stale instead of being removed. Phases
   * `request` and `response`.
   */
  purge(options = {}) {
    const { url, prefix, tag, soft = false } = known("purge", options, [
      "url",
      "prefix",
      "tag",
      "soft",
    ]);
    const scopes = Object.entries(given({ url, prefix, tag }));
    if (scopes.length > 1) throw new Error("purge takes one of url, prefix and tag");
    const [scope] = scopes.map(([kind, value]) => ({ tag: kind, val: parts(value) }));
    return this.effect("purge", { scope: scope ?? { tag: "site" }, soft });
  }
  /** Adds any effect of the contract, with all of its fields. */
  effect(tag, val) {
    this.contract.effects.push({ tag, val });
    return this;
  }
  /** Adds any edit of the contract. */
  edit(tag, val) {
    this.contract.edits.push({ tag, val });
    return this;
  }
  /** Allows reuse for the same inputs until the configuration changes. */
  untilReload() {
    this.contract.reuse = { tag: "until-reload" };
    return this;
  }
  /** Allows reuse for the same inputs for this many seconds. */
  forSeconds(seconds) {
    this.contract.reuse = { tag: "seconds", val: seconds };
    return this;
  }
  /** Sets a short text for the access log, written also when the verdict is reused. */
  note(note) {
    this.contract.note = note;
    return this;
  }
}

/** The exchange continues. */
export const proceed = () => new Verdict({ tag: "proceed" });

/**
 * Ends the request with this response:
 * `respond({ status: 403, text: "No\n", headers: { "x-why": "…" } })`. In the phases
 * `fetched` and `response` it replaces the response. The body is `text`, `bytes`, or
 * `json`: any value that `JSON.stringify` accepts, sent as `application/json`.
 */
export const respond = (answer) => new Verdict({ tag: "respond", val: reply(answer) });

/** Serves this path of the same target instead. Phase `missing` only. */
export const serve = (path) => new Verdict({ tag: "serve", val: parts(path) });

/**
 * Defines the exports of a component: `export const policies = define({ … })`.
 *
 * `configure(config)` returns an object with the phases that the policy subscribes to:
 * `request`, `fetched`, `missing`, `response`. Each is
 * `{ inputs: { name: input.… }, references: { name: input.… }, decide }`, and
 * `decide(values, at)` returns a verdict. `values` has the inputs by name; an absent one
 * is `undefined`. `at` has all inputs and references by name, for use in values.
 */
export function define(definition) {
  const {
    name,
    version,
    summary = "",
    configSchema,
    configure,
  } = known("define", definition, ["name", "version", "summary", "configSchema", "configure"]);
  if (typeof configure !== "function") throw new Error("define: `configure` is not a function");
  class Policy {
    constructor(phases) {
      this.phases = phases;
    }
    static configure(config) {
      return safely(() => {
        const document = JSON.parse(config.trim() || "{}") ?? {};
        const phases = {};
        for (const [name, phase] of Object.entries(known("configure", configure(document), PHASES))) {
          phases[name] = prepare(name, phase);
        }
        return new Policy(phases);
      });
    }
    subscription() {
      const of = (name) => this.phases[name]?.declared;
      return {
        request: of("request"),
        fetched: of("fetched"),
        missing: of("missing"),
        response: of("response"),
      };
    }
    onRequest(inputs) {
      return this.decide("request", inputs);
    }
    onFetched(inputs) {
      return this.decide("fetched", inputs);
    }
    onMissing(inputs) {
      return this.decide("missing", inputs);
    }
    onResponse(inputs) {
      return this.decide("response", inputs);
    }
    decide(name, inputs) {
      return safely(() => {
        const { names, at, decide } = this.phases[name];
        const values = {};
        names.forEach((name, index) => {
          values[name] = inputs[index] ?? undefined;
        });
        const verdict = decide(values, at);
        if (!(verdict instanceof Verdict)) {
          throw new Error(`\`decide\` of the phase ${name} returned no verdict`);
        }
        return verdict.contract;
      });
    }
  }
  return {
    describe: () => ({ name, version, summary, configSchema }),
    Policy,
  };
}

/** The phases that a policy can subscribe to. */
const PHASES = ["request", "fetched", "missing", "response"];

/** Converts a phase to the contract, and adds what values in it can refer to. */
function prepare(phase, options) {
  const {
    inputs = {},
    references = {},
    decide,
  } = known(`the phase ${phase}`, options, ["inputs", "references", "decide"]);
  if (typeof decide !== "function") throw new Error(`the phase ${phase}: \`decide\` is not a function`);
  for (const [name, asked] of [...Object.entries(inputs), ...Object.entries(references)]) {
    if (typeof asked?.tag !== "string") {
      throw new Error(`the phase ${phase}: \`${name}\` is not an input; write one of \`input\``);
    }
  }
  const names = Object.keys(inputs);
  const plain = ({ tag, val }) => (val === undefined ? { tag } : { tag, val });
  const at = {};
  Object.keys(references).forEach((name, val) => {
    at[name] = { tag: "reference", val };
  });
  names.forEach((name, val) => {
    at[name] = { tag: "input", val };
  });
  const secret = names.flatMap((name, index) => (inputs[name].sensitive ? [index] : []));
  return {
    names,
    at,
    decide,
    declared: {
      inputs: Object.values(inputs).map(plain),
      references: Object.values(references).map(plain),
      sensitive: Uint32Array.from(secret),
    },
  };
}

/** A value from a text, an input or reference in `at`, or a list of these. */
function parts(value) {
  const list = Array.isArray(value) ? value : [value];
  return list.map((part) => {
    if (part === undefined || part === null) {
      throw new Error(`a value is ${part}; it consists of texts, and of inputs and references in \`at\``);
    }
    return typeof part === "object" ? part : { tag: "literal", val: String(part) };
  });
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

function reply(options) {
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
 * Checks that the options are an object and that its keys are in `names`. Returns them
 * without the keys whose value is `undefined`.
 */
function known(what, options, names) {
  if (options === null || typeof options !== "object" || Array.isArray(options)) {
    throw new Error(`${what}: expected an object with ${names.join(", ")}`);
  }
  options = given(options);
  for (const key of Object.keys(options)) {
    if (!names.includes(key)) throw new Error(`${what}: unknown key \`${key}\`; ${instead(key, names)}`);
  }
  return options;
}

/** An object without the keys whose value is `undefined`. */
function given(object) {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

/** Checks that the word is one of `words`, and returns it. */
function oneOf(what, word, words) {
  if (!words.includes(word)) throw new Error(`${what}: unknown word \`${word}\`; ${instead(word, words)}`);
  return word;
}

/** Suggests the most similar of `names`, or lists all if none is similar. */
function instead(given, names) {
  const distances = names.map((name) => [distance(String(given).toLowerCase(), name.toLowerCase()), name]);
  const [best, nearest] = distances.reduce((a, b) => (b[0] < a[0] ? b : a));
  if (best <= Math.max(2, nearest.length / 3)) return `did you mean \`${nearest}\`?`;
  return `there are ${names.join(", ")}`;
}

/** The Levenshtein distance of two names. */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}

/** Converts a thrown value to an Error: the contract accepts only that, and others trap. */
function safely(run) {
  try {
    return run();
  } catch (thrown) {
    throw new Error(thrown instanceof Error ? thrown.message : String(thrown));
  }
}
