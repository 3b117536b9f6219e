import assert from "node:assert/strict";
import test from "node:test";

import { define, input, proceed, respond, sensitive, serve } from "./janua.js";

const policies = define({
  name: "try",
  version: "1.0.0",
  configure({ mode }) {
    if (mode === "string") throw "a string";
    if (mode === "error") throw new Error("an error");
    return {
      request: {
        inputs: { path: input.path, key: sensitive(input.header("X-Key")) },
        references: { client: input.clientIp },
        decide({ path, key }, at) {
          if (path === "/throw") throw { a: 1 };
          if (path === "/nothing") return undefined;
          if (key === undefined) return respond({ status: 401, text: "no" });
          return proceed().setHeader("x-from", ["ip=", at.client, at.path]).untilReload();
        },
      },
    };
  },
});

const configured = () => policies.Policy.configure("{}");

test("a subscription is complete", () => {
  const { request, response } = configured().subscription();
  assert.deepEqual(request.inputs, [{ tag: "path" }, { tag: "header", val: "x-key" }]);
  assert.deepEqual(request.references, [{ tag: "client-ip" }]);
  assert.deepEqual([...request.sensitive], [1]);
  assert.equal(response, undefined);
});

test("a verdict is complete", () => {
  const verdict = configured().onRequest(["/", "k"]);
  assert.deepEqual(verdict, {
    outcome: { tag: "proceed" },
    edits: [
      {
        tag: "set-header",
        val: {
          name: "x-from",
          value: [
            { tag: "literal", val: "ip=" },
            { tag: "reference", val: 0 },
            { tag: "input", val: 0 },
          ],
        },
      },
    ],
    effects: [],
    reuse: { tag: "until-reload" },
    note: undefined,
  });
});

test("an absent input is undefined, be it null or undefined", () => {
  for (const absent of [null, undefined]) {
    const verdict = configured().onRequest(["/", absent]);
    assert.equal(verdict.outcome.tag, "respond");
    assert.equal(verdict.outcome.val.status, 401);
    assert.deepEqual(verdict.reuse, { tag: "never" });
  }
});

test("whatever is thrown becomes an error with a message", () => {
  const { Policy } = policies;
  assert.throws(() => Policy.configure('{"mode":"string"}'), new Error("a string"));
  assert.throws(() => Policy.configure('{"mode":"error"}'), new Error("an error"));
  assert.throws(() => Policy.configure("nonsense"), Error);
  assert.throws(() => configured().onRequest(["/throw", null]), Error);
  assert.throws(
    () => configured().onRequest(["/nothing", null]),
    new Error("`decide` of the phase request returned no verdict"),
  );
});

const effects = (verdict) => verdict.contract.effects;
const literal = (val) => [{ tag: "literal", val }];

test("a lookup in the cache is complete", () => {
  const reference = { tag: "reference", val: 0 };
  const [bare, full, bypass] = effects(
    proceed()
      .cacheLookup()
      .cacheLookup({ query: { without: ["utm_*"] }, varyOn: [reference, ["a", reference]] })
      .cacheLookup({ query: "sorted", bypass: "cookie" }),
  ).map(({ tag, val }) => {
    assert.equal(tag, "cache-lookup");
    return val;
  });
  assert.deepEqual(bare, { query: { tag: "whole" }, varyOn: [], bypass: undefined });
  assert.deepEqual(full.query, { tag: "without", val: ["utm_*"] });
  assert.deepEqual(full.varyOn, [[reference], [...literal("a"), reference]]);
  assert.deepEqual(bypass, { query: { tag: "sorted" }, varyOn: [], bypass: "cookie" });
});

test("a cache rule is complete", () => {
  const verdict = proceed()
    .cacheRule({ name: "html" })
    .cacheRule({ name: "js", store: 60, cdn: "max-age=60", staleIfError: 5, shared: true })
    .tag("a, b");
  const [html, js, tag] = effects(verdict);
  assert.deepEqual(html, {
    tag: "cache-rule",
    val: {
      name: "html",
      store: { tag: "by-fields" },
      browser: undefined,
      cdn: undefined,
      staleWhileRevalidate: undefined,
      staleIfError: undefined,
      shared: false,
    },
  });
  assert.deepEqual(js.val.store, { tag: "seconds", val: 60 });
  assert.deepEqual([js.val.cdn, js.val.staleIfError, js.val.shared], ["max-age=60", 5, true]);
  assert.deepEqual(tag, { tag: "tag", val: literal("a, b") });
});

test("a purge names one thing", () => {
  const scopes = [
    [{ url: "/a?b" }, { tag: "url", val: literal("/a?b") }],
    [{ prefix: "/a/" }, { tag: "prefix", val: literal("/a/") }],
    [{ tag: "a" }, { tag: "tag", val: literal("a") }],
    [{}, { tag: "site" }],
  ];
  for (const [given, scope] of scopes) {
    const [effect] = effects(proceed().purge({ ...given, soft: true }));
    assert.deepEqual(effect, { tag: "purge", val: { scope, soft: true } });
  }
  assert.throws(() => proceed().purge({ url: "/", tag: "a" }), Error);
});

test("serve takes a value", () => {
  const verdict = serve("/index.html").setHeader("cache-control", "no-cache");
  assert.deepEqual(verdict.contract.outcome, { tag: "serve", val: literal("/index.html") });
});

const phases = (phases) => () =>
  define({ name: "try", version: "1.0.0", configure: () => phases }).Policy.configure("{}");

test("a key that nothing reads is refused, with the nearest", () => {
  const decide = () => proceed();
  const table = [
    [phases({ requests: { decide } }), "configure: unknown key `requests`; did you mean `request`?"],
    [phases({ Request: { decide } }), "configure: unknown key `Request`; did you mean `request`?"],
    [
      phases({ always: { decide } }),
      "configure: unknown key `always`; there are request, fetched, missing, response",
    ],
    [
      phases({ request: { input: {}, decide } }),
      "the phase request: unknown key `input`; did you mean `inputs`?",
    ],
    [phases({ request: { inputs: {} } }), "the phase request: `decide` is not a function"],
    [
      phases({ request: { inputs: { ip: input.clientIP }, decide } }),
      "the phase request: `ip` is not an input; write one of `input`",
    ],
    [
      phases({ request: { references: { host: input.header }, decide } }),
      "the phase request: `host` is not an input; write one of `input`",
    ],
    [phases(undefined), "configure: expected an object with request, fetched, missing, response"],
    [() => define({ name: "a", version: "1", config: 1 }), "define: unknown key `config`"],
    [() => define({ name: "a", version: "1" }), "define: `configure` is not a function"],
    [() => respond({ status: 200, body: "x" }), "a response: unknown key `body`"],
    [() => respond({ status: 200, text: "a", json: 1 }), "a response takes one body, not text and json"],
    [() => respond(403), "a response: expected an object with status"],
    [() => proceed().take({ tokens: 1, period: 1 }), "take: unknown key `period`"],
    [
      () => proceed().take({ tokens: 1, periodMs: 1, absent: "deny" }),
      "`absent` of take: unknown word `deny`; there are share, refuse, skip",
    ],
    [
      () => proceed().take({ tokens: 1, periodMs: 1, otherwise: { statuss: 1 } }),
      "a response: unknown key `statuss`; did you mean `status`?",
    ],
    [
      () => proceed().cacheLookup({ vary: [] }),
      "cacheLookup: unknown key `vary`; did you mean `varyOn`?",
    ],
    [() => proceed().cacheLookup({ query: "hole" }), "did you mean `whole`?"],
    [() => proceed().cacheLookup({ query: { onyl: ["a"] } }), "did you mean `only`?"],
    [
      () => proceed().cacheLookup({ query: { only: ["a"], without: ["b"] } }),
      "takes one of only and without",
    ],
    [() => proceed().cacheRule({ name: "a", ttl: 1 }), "cacheRule: unknown key `ttl`"],
    [() => proceed().cacheRule({ name: "a", store: "no" }), "unknown word `no`"],
    [() => proceed().purge({ Url: "/" }), "purge: unknown key `Url`; did you mean `url`?"],
    [() => proceed().setHeader("x-a", undefined), "a value is undefined"],
    [() => proceed().setHeader("x-a", ["a", null]), "a value is null"],
  ];
  for (const [run, message] of table) {
    assert.throws(run, (error) => {
      assert.ok(error.message.includes(message), error.message);
      return true;
    });
  }
});

test("an option that is undefined is not given", () => {
  const none = undefined;
  const same = (given, expected) => assert.deepEqual(given.contract, expected.contract);
  same(respond({ status: 200, json: none }), respond({ status: 200 }));
  same(respond({ status: 200, text: "a", json: none, bytes: none }), respond({ status: 200, text: "a" }));
  same(respond({ status: 200, headers: none, body: none }), respond({ status: 200 }));
  same(proceed().purge({ url: none, tag: "a" }), proceed().purge({ tag: "a" }));
  same(
    proceed().cacheLookup({ query: { only: none, without: ["a"] } }),
    proceed().cacheLookup({ query: { without: ["a"] } }),
  );
  same(
    proceed().take({ tokens: 1, periodMs: 1, key: none, absent: none }),
    proceed().take({ tokens: 1, periodMs: 1 }),
  );
  assert.equal(define({ name: "a", version: "1", summary: none, configure() {} }).describe().summary, "");
  // A value that is missing is a fault: it may be one of `at` that is misspelt.
  assert.throws(() => respond({ status: 200, headers: { "x-a": none } }), /a value is undefined/);
});

test("a phase that is undefined is not taken part in", () => {
  const { request, response } = phases({ request: undefined })().subscription();
  assert.deepEqual([request, response], [undefined, undefined]);
});

test("json is a body with its type", () => {
  const of = (answer) => respond(answer).contract.outcome.val;
  for (const [json, val] of [
    [{ a: [1, "é"] }, '{"a":[1,"é"]}'],
    [null, "null"],
    ["", '""'],
  ]) {
    const { headers, body } = of({ status: 200, json });
    assert.deepEqual(body, { tag: "text", val });
    assert.deepEqual(headers, [{ name: "content-type", value: literal("application/json") }]);
  }
  const { headers } = of({
    status: 400,
    json: {},
    headers: { "Content-Type": "application/problem+json" },
  });
  assert.deepEqual(headers, [
    { name: "Content-Type", value: literal("application/problem+json") },
  ]);
  assert.throws(() => of({ status: 200, json: () => 1 }), /json is function/);
});
