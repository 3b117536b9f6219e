import assert from "node:assert/strict";
import test from "node:test";

import {
  define,
  input,
  may,
  named,
  outcome,
  proceed,
  respond,
  sensitive,
  serve,
  uses,
} from "./janua.js";

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
        may: [may.respond, may.editHeader("X-From")],
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
  const { phases, ...rest } = configured().subscription();
  const [request, ...others] = phases;
  assert.equal(request.name, "request");
  assert.deepEqual(request.inputs, [{ tag: "path" }, { tag: "header", val: "x-key" }]);
  assert.deepEqual(request.references, [{ tag: "client-ip" }]);
  assert.deepEqual([...request.sensitive], [1]);
  assert.deepEqual(request.may, ["respond", "edit:header:x-from"]);
  assert.deepEqual(others, []);
  assert.deepEqual(rest, { owns: [], variables: [], uses: [], more: [] });
});

test("a policy declares what it may do beside its phases", () => {
  const { owns, variables, uses: used, more } = phases({
    request: { decide: () => proceed() },
    owns: ["x-auth-*"],
    variables: ["tier"],
    uses: [uses.secret("a"), uses.dataset("b"), uses.outbound("c"), uses.upstream("d")],
    more: { later: { most: 3, flag: true, names: ["a"], text: "b" } },
  })().subscription();
  assert.deepEqual(owns, ["x-auth-*"]);
  assert.deepEqual(variables, ["tier"]);
  assert.deepEqual(used, ["secret:a", "dataset:b", "outbound:c", "upstream:d"]);
  const argument = (name, tag, val) => ({ name, value: { tag, val } });
  assert.deepEqual(more, [
    {
      name: "later",
      arguments: [
        argument("most", "number", 3),
        argument("flag", "flag", true),
        argument("names", "texts", ["a"]),
        argument("text", "text", "b"),
      ],
    },
  ]);
});

test("a phase is called by its position", () => {
  const say = (name) => ({ decide: () => proceed().note(name) });
  const policy = phases({ finished: say("finished"), request: say("request") })();
  const names = policy.subscription().phases.map(({ name }) => name);
  const notes = names.map((_, phase) => policy.decide(phase, []).annotations);
  assert.deepEqual(
    notes,
    names.map((name) => [{ name: "note", value: literal(name) }]),
  );
  assert.deepEqual([...names].sort(), ["finished", "request"]);
});

test("permissions are the words of the contract", () => {
  assert.deepEqual(
    [may.serve, may.setPath, may.setQuery, may.setStatus],
    ["serve", "edit:set-path", "edit:set-query", "edit:set-status"],
  );
  assert.equal(may.editHeader("X-Auth-*"), "edit:header:x-auth-*");
  assert.equal(may.editResponseHeader("Set-Cookie"), "edit:response-header:set-cookie");
  assert.equal(may.effect("take"), "effect:take");
});

test("inputs have their arguments", () => {
  const decide = () => proceed();
  const inputs = {
    network: input.clientNetwork(24, 56),
    body: input.bodyPrefix(1024),
    variable: input.variable("jwt.sub"),
    field: input.responseHeaderBase64("X-A"),
    younger: input.named("later", { a: "b" }),
  };
  const [{ inputs: declared }] = phases({ fetched: { inputs, decide } })().subscription().phases;
  assert.deepEqual(declared, [
    { tag: "client-network", val: { ipv4: 24, ipv6: 56 } },
    { tag: "body-prefix", val: 1024 },
    { tag: "variable", val: "jwt.sub" },
    { tag: "response-header-base64", val: "x-a" },
    {
      tag: "named",
      val: { name: "later", arguments: [{ name: "a", value: { tag: "text", val: "b" } }] },
    },
  ]);
});

test("the key of a look-up is a reference, once", () => {
  const country = input.lookup("geo", input.clientIp, "country.iso_code");
  const name = input.lookup("names", sensitive(input.header("x-name")));
  const [phase] = phases({
    request: {
      inputs: { country },
      references: { host: input.host, ip: input.clientIp, name, network: input.lookup("nets", input.clientIp) },
      decide: (_, at) => proceed().setHeader("x-a", [at.ip, at.network]),
    },
  })().subscription().phases;
  const lookup = (dataset, key, member) => ({ tag: "lookup", val: { dataset, key, member } });
  assert.deepEqual(phase.inputs, [lookup("geo", 1, "country.iso_code")]);
  assert.deepEqual(phase.references, [
    { tag: "host" },
    { tag: "client-ip" },
    lookup("names", 4, ""),
    lookup("nets", 1, ""),
    { tag: "header", val: "x-name" },
  ]);
});

test("a verdict is complete", () => {
  const verdict = configured().decide(0, ["/", "k"]);
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
    responseEdits: [],
    effects: [],
    reuse: { tag: "until-reload" },
    annotations: [],
  });
});

test("an absent input is undefined, be it null or undefined", () => {
  for (const absent of [null, undefined]) {
    const verdict = configured().decide(0, ["/", absent]);
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
  assert.throws(() => configured().decide(0, ["/throw", null]), Error);
  assert.throws(
    () => configured().decide(0, ["/nothing", null]),
    new Error("`decide` of the phase request returned no verdict"),
  );
});

const effects = (verdict) => verdict.contract.effects;
const literal = (val) => [{ tag: "literal", val }];

test("edits of the response are apart", () => {
  const { edits, responseEdits } = proceed()
    .setHeader("x-a", "1")
    .setVariable("tier", "gold")
    .appendResponseHeader("set-cookie", "a=b")
    .removeResponseHeader("server")
    .setResponseStatus(202).contract;
  assert.deepEqual(
    edits.map(({ tag }) => tag),
    ["set-header", "set-variable"],
  );
  assert.deepEqual(responseEdits, [
    { tag: "append-header", val: { name: "set-cookie", value: literal("a=b") } },
    { tag: "remove-header", val: "server" },
    { tag: "set-status", val: 202 },
  ]);
});

test("a verdict says how long it holds, and what is logged", () => {
  const reuse = (verdict) => verdict.contract.reuse;
  assert.deepEqual(reuse(proceed().forSeconds(5)), { tag: "seconds", val: 5 });
  assert.deepEqual(reuse(proceed().until(1700000000.9)), { tag: "until", val: 1700000000 });
  assert.deepEqual(reuse(proceed().untilReload().reuse("never")), { tag: "never" });
  const { annotations } = proceed().annotate("user", ["u-", 7]).note("ok").contract;
  assert.deepEqual(annotations, [
    { name: "user", value: [...literal("u-"), ...literal("7")] },
    { name: "note", value: literal("ok") },
  ]);
});

test("younger cases have names", () => {
  const verdict = outcome("named", named("wait", { reply: { reply: { status: 503 } } }))
    .edit("named", named("set-x", { value: { value: ["a", { tag: "input", val: 0 }] } }))
    .effect("named", named("count", { by: 2, keys: { values: ["a", "b"] } }));
  const { outcome: decided, edits, effects } = verdict.contract;
  const [reply] = decided.val.arguments;
  assert.deepEqual(reply.value, { tag: "reply", val: { status: 503, headers: [], body: { tag: "empty" } } });
  assert.deepEqual(edits[0].val.arguments[0].value, {
    tag: "value",
    val: [...literal("a"), { tag: "input", val: 0 }],
  });
  assert.deepEqual(
    effects[0].val.arguments.map(({ value }) => value),
    [
      { tag: "number", val: 2 },
      { tag: "values", val: [literal("a"), literal("b")] },
    ],
  );
  assert.throws(() => named("x", { a: 1.5 }), /the argument `a` is not a text/);
  assert.throws(() => named("x", { a: { valeu: 1 } }), /did you mean `value`/);
});

test("buckets are complete", () => {
  const key = { tag: "reference", val: 0 };
  const options = { tokens: 5, periodMs: 1000, key, burst: 2, absent: "skip", bucket: "b" };
  const bucket = { name: "b", key: [key], absent: "skip", tokens: 5, periodMs: 1000, burst: 2 };
  const refused = { status: 429, headers: [], body: { tag: "empty" } };
  const [take, measured, charge, places] = effects(
    proceed()
      .take(options)
      .take({ tokens: 1, periodMs: 1, cost: { amount: key, most: 100 } })
      .charge({ ...options, cost: 3, debt: 9 })
      .concurrency({ most: 2, key, otherwise: { status: 503 } }),
  );
  assert.deepEqual(take, {
    tag: "take",
    val: { bucket, cost: { tag: "tokens", val: 1 }, otherwise: refused },
  });
  assert.deepEqual(measured.val.cost, {
    tag: "measured",
    val: { amount: [key], otherwise: 1, most: 100 },
  });
  assert.deepEqual(measured.val.bucket.key, []);
  assert.deepEqual(charge, { tag: "charge", val: { bucket, cost: { tag: "tokens", val: 3 }, debt: 9 } });
  assert.deepEqual(places, {
    tag: "concurrency",
    val: { name: "", key: [key], absent: "share", most: 2, otherwise: { ...refused, status: 503 } },
  });
});

test("a check of a signature is complete", () => {
  const body = { tag: "reference", val: 0 };
  const [{ val }] = effects(
    proceed().verify({ secret: "hook", algorithm: "HS256", message: body, signature: "ab", prefix: "sha256=" }),
  );
  assert.deepEqual(val, {
    secret: "hook",
    algorithm: "HS256",
    message: [body],
    signature: literal("ab"),
    encoding: "hex",
    prefix: "sha256=",
    otherwise: { status: 401, headers: [], body: { tag: "empty" } },
  });
});

test("upstreams, and bans", () => {
  const key = { tag: "reference", val: 0 };
  const [choice, split, drawn, ban] = effects(
    proceed()
      .chooseUpstream("canary")
      .split({ weights: { stable: 95, canary: 5 }, sticky: key })
      .split({ weights: { stable: 1 } })
      .ban({ subject: key, after: 5, withinSeconds: 60, forSeconds: 600, reason: "login" }),
  );
  assert.deepEqual(choice, { tag: "choose-upstream", val: "canary" });
  assert.deepEqual(split.val, {
    weights: [
      { upstream: "stable", weight: 95 },
      { upstream: "canary", weight: 5 },
    ],
    sticky: [key],
  });
  assert.equal(drawn.val.sticky, undefined);
  assert.deepEqual(ban, {
    tag: "ban",
    val: { subject: [key], after: 5, withinSeconds: 60, forSeconds: 600, reason: "login" },
  });
});

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
    .cacheTag("a, b");
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
  assert.deepEqual(tag, { tag: "cache-tag", val: literal("a, b") });
});

test("a purge names one thing", () => {
  const scopes = [
    [{ url: "/a?b" }, { tag: "url", val: literal("/a?b") }],
    [{ prefix: "/a/" }, { tag: "prefix", val: literal("/a/") }],
    [{ tag: "a" }, { tag: "tagged", val: literal("a") }],
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
      "configure: unknown key `always`; there are request, fetched, missing, response, finished, owns",
    ],
    [phases({}), "the policy subscribes to no phase: return one of request, fetched"],
    [phases({ request: { may: "respond", decide } }), "the phase request: `may`: expected a list of texts"],
    [phases({ request: { decide }, owns: "x-a" }), "`owns`: expected a list of texts"],
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
    [phases(undefined), "configure: expected an object with request, fetched, missing, response, finished"],
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
    [() => proceed().charge({ tokens: 1, periodMs: 1, otherwise: {} }), "charge: unknown key `otherwise`"],
    [() => proceed().take({ tokens: 1, periodMs: 1, cost: { mots: 1 } }), "did you mean `most`?"],
    [() => proceed().verify({ encoding: "base46", message: "", signature: "" }), "did you mean `base64`?"],
    [() => proceed().split({ weight: {} }), "split: unknown key `weight`; did you mean `weights`?"],
    [() => proceed().ban({ subjct: "a" }), "ban: unknown key `subjct`; did you mean `subject`?"],
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
  const decide = () => proceed();
  const { phases: taken } = phases({ request: undefined, response: { decide } })().subscription();
  assert.deepEqual(
    taken.map(({ name }) => name),
    ["response"],
  );
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
