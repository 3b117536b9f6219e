import assert from "node:assert/strict";
import test from "node:test";

import { define, input, proceed, respond, sensitive } from "./janua.js";

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
    new Error("the phase request gave no verdict"),
  );
});
