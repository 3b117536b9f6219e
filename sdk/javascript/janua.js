/**
 * Write a Janua policy in JavaScript.
 *
 * The contract wants every list, every tag and an error for every failure;
 * this module fills them in, hands inputs over by name, and turns whatever is
 * thrown into a message, since anything but an Error would end the instance.
 *
 * A key that nothing reads is refused wherever an object of options is taken:
 * a misspelt phase or option would otherwise do nothing, in silence. A key whose
 * value is `undefined` counts as not given, in each of them.
 */

/** Inputs of the contract without a name of their own, as `input.clientIp`. */
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

/** Inputs that name something, as `input.header("x-tenant")`. */
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

/** What a policy may ask for. */
export const input = Object.freeze({
  ...Object.fromEntries(Object.entries(PLAIN).map(([name, tag]) => [name, { tag }])),
  ...Object.fromEntries(
    Object.entries(NAMED).map(([name, tag]) => [
      name,
      (of) => ({ tag, val: tag.includes("header") ? of.toLowerCase() : of }),
    ]),
  ),
});

/** Marks an input as a secret: `sensitive(input.header("x-api-key"))`. */
export const sensitive = (input) => ({ ...input, sensitive: true });

/** What a policy decides, built up step by step. Not reused unless it says so. */
export class Verdict {
  constructor(outcome) {
    this.contract = { outcome, edits: [], effects: [], reuse: { tag: "never" }, note: undefined };
  }
  /** Replaces every line of this name by one. An absent value removes the field. */
  setHeader(name, value) {
    return this.edit("set-header", { name, value: parts(value) });
  }
  /** Adds a line. */
  appendHeader(name, value) {
    return this.edit("append-header", { name, value: parts(value) });
  }
  /** Adds a line if there is no such field yet. */
  defaultHeader(name, value) {
    return this.edit("default-header", { name, value: parts(value) });
  }
  /** Removes every line of this name. */
  removeHeader(name) {
    return this.edit("remove-header", name);
  }
  /** Request only. Replaces the path. */
  setPath(value) {
    return this.edit("set-path", parts(value));
  }
  /** Request only. Replaces the query, without `?`. */
  setQuery(value) {
    return this.edit("set-query", parts(value));
  }
  /** Response phases only. Replaces the status. */
  setStatus(status) {
    return this.edit("set-status", status);
  }
  /** Takes tokens from a bucket of the gateway. Request only. */
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
   * Says how the response is found in the cache. Request only. `query` is
   * "whole", "sorted", "ignored", `{ only: ["page"] }` or
   * `{ without: ["utm_*"] }`; the values of `varyOn` join the key; `bypass` is
   * a reason to neither look up nor store.
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
   * Says what the cache does with the response. Phase `fetched` only. `store`
   * is "by-fields", "by-fields-or-heuristic", "never" or a number of seconds.
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
  /** Adds a cache tag; a value with commas or spaces adds several. Phase `fetched` only. */
  tag(value) {
    return this.effect("tag", parts(value));
  }
  /**
   * Purges `{ url }`, `{ prefix }`, `{ tag }` or, with none of them, all of
   * this site; with `soft: true` it becomes stale instead of going away.
   * Phases `request` and `response`.
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
  /** Any effect of the contract, with all of its fields. */
  effect(tag, val) {
    this.contract.effects.push({ tag, val });
    return this;
  }
  /** Any edit of the contract. */
  edit(tag, val) {
    this.contract.edits.push({ tag, val });
    return this;
  }
  /** The same inputs give this verdict until the configuration changes. */
  untilReload() {
    this.contract.reuse = { tag: "until-reload" };
    return this;
  }
  /** The same inputs give this verdict for so many seconds. */
  forSeconds(seconds) {
    this.contract.reuse = { tag: "seconds", val: seconds };
    return this;
  }
  /** A short word for the access log, said each time. */
  note(note) {
    this.contract.note = note;
    return this;
  }
}

/** Goes on. */
export const proceed = () => new Verdict({ tag: "proceed" });

/**
 * Ends here: `respond({ status: 403, text: "No\n", headers: { "x-why": "…" } })`.
 * The body is `text`, `bytes`, or `json`: any value that `JSON.stringify` takes,
 * sent as `application/json`.
 */
export const respond = (answer) => new Verdict({ tag: "respond", val: reply(answer) });

/** Phase `missing` only: serves this path of the same target instead. */
export const serve = (path) => new Verdict({ tag: "serve", val: parts(path) });

/**
 * Makes the exports of a component: `export const policies = define({ … })`.
 *
 * `configure(config)` gives an object with the phases that the policy takes
 * part in: `request`, `fetched`, `missing`, `response`. Each is
 * `{ inputs: { name: input.… }, references: { name: input.… }, decide }`, and
 * `decide(values, at)` gives a verdict. `values` holds the inputs by name,
 * `undefined` where one is absent; `at` holds what a header value may point
 * at, inputs and references alike.
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
          throw new Error(`the phase ${name} gave no verdict`);
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

/** The phases that a policy may take part in. */
const PHASES = ["request", "fetched", "missing", "response"];

/** A phase as the contract has it, and what a verdict in it may point at. */
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

/** A value from a text, from something of `at`, or from a list of both. */
function parts(value) {
  const list = Array.isArray(value) ? value : [value];
  return list.map((part) => {
    if (part === undefined || part === null) {
      throw new Error(`a value is ${part}; it holds texts and what \`at\` has by the names of the phase`);
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
 * The options, if they are an object and each of its keys is one of `names`. A
 * key whose value is `undefined` counts as not given.
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

/** The entries of an object but for those that are `undefined`. */
function given(object) {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

/** The word, if it is one of `words`. */
function oneOf(what, word, words) {
  if (!words.includes(word)) throw new Error(`${what}: unknown word \`${word}\`; ${instead(word, words)}`);
  return word;
}

/** The nearest of `names` if one is near, else all of them. */
function instead(given, names) {
  const distances = names.map((name) => [distance(String(given).toLowerCase(), name.toLowerCase()), name]);
  const [best, nearest] = distances.reduce((a, b) => (b[0] < a[0] ? b : a));
  if (best <= Math.max(2, nearest.length / 3)) return `did you mean \`${nearest}\`?`;
  return `there are ${names.join(", ")}`;
}

/** How many characters have to be changed, added or taken away (Levenshtein). */
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

/** Only an Error becomes a message of the contract; anything else would trap. */
function safely(run) {
  try {
    return run();
  } catch (thrown) {
    throw new Error(thrown instanceof Error ? thrown.message : String(thrown));
  }
}
