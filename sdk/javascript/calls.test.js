// The gateway's interfaces exist only in a component: here, modules stand in for them.

import assert from "node:assert/strict";
import { register } from "node:module";
import test from "node:test";

const INTERFACES = {
  signatures: `
    export const verify = (secret, algorithm, keyId, message, signature) => {
      if (secret === "gone") throw Object.assign(new Error("x"), { payload: { tag: "unavailable", val: "later" } });
      return [secret, algorithm, keyId, message.join(), signature.join()].join("|");
    };
    export const sign = (secret, algorithm, message) => message;`,
  seal: `
    export const seal = (secret, purpose, plain) => plain.join();
    export const open = (secret, purpose, sealed) =>
      sealed === "" ? null : Uint8Array.from(sealed.split(","), Number);`,
  datasets: `
    export const find = (dataset, key, member) => {
      if (dataset === "gone") throw Object.assign(new Error("x"), { payload: { tag: "unknown-dataset" } });
      return key === "none" ? null : key + member;
    };`,
  log: `
    export const lines = [];
    export const log = (level, message) => lines.push([level, message]);`,
};

register(
  `data:text/javascript,${encodeURIComponent(`
    const INTERFACES = ${JSON.stringify(INTERFACES)};
    export async function resolve(name, context, next) {
      const found = /^janua:policy\\/(.*)@0\\.1\\.0$/.exec(name);
      if (!found) return next(name, context);
      const url = "data:text/javascript," + encodeURIComponent(INTERFACES[found[1]]);
      return { url, shortCircuit: true };
    }`)}`,
);

test("signatures take texts and bytes", async () => {
  const { sign, verify } = await import("./secrets.js");
  const options = { secret: "s", algorithm: "HS256", message: "é", signature: Uint8Array.of(1, 2) };
  assert.equal(verify(options), "s|HS256||195,169|1,2");
  assert.equal(verify({ ...options, keyId: "k" }), "s|HS256|k|195,169|1,2");
  assert.deepEqual(sign({ secret: "s", algorithm: "HS256", message: Uint8Array.of(3) }), Uint8Array.of(3));
  assert.throws(() => verify({ ...options, kid: "k" }), /unknown key `kid`; did you mean/);
});

test("an error of the gateway has a message and a code", async () => {
  const { verify } = await import("./secrets.js");
  const { find } = await import("./datasets.js");
  const options = { secret: "gone", algorithm: "HS256", message: "", signature: Uint8Array.of() };
  assert.throws(() => verify(options), { message: "verify: unavailable: later", code: "unavailable" });
  assert.throws(() => find("gone", "a"), { message: "find: unknown-dataset", code: "unknown-dataset" });
});

test("what is sealed opens as it was", async () => {
  const { open, openText, seal } = await import("./secrets.js");
  assert.equal(openText("s", "p", seal("s", "p", "zoë 😀")), "zoë 😀");
  assert.deepEqual(open("s", "p", seal("s", "p", Uint8Array.of(255))), Uint8Array.of(255));
  assert.equal(openText("s", "p", seal("s", "p", Uint8Array.of(255))), undefined);
  assert.equal(open("s", "p", ""), undefined);
  assert.equal(openText("s", "p", ""), undefined);
});

test("a key that a dataset does not contain is undefined", async () => {
  const { find } = await import("./datasets.js");
  assert.deepEqual([find("d", "a"), find("d", "a", ".b"), find("d", "none")], ["a", "a.b", undefined]);
});

test("lines have their level", async () => {
  const log = await import("./log.js");
  const { lines } = await import("janua:policy/log@0.1.0");
  log.debug(1);
  log.info("a");
  log.warn("b");
  log.error(new Error("c"));
  assert.deepEqual(lines, [
    ["debug", "1"],
    ["info", "a"],
    ["warn", "b"],
    ["error", "Error: c"],
  ]);
});

test("base64 has both alphabets, and refuses what is none", async () => {
  const { base64url, fromBase64, utf8 } = await import("./bytes.js");
  const bytes = Uint8Array.of(251, 255, 191, 0);
  for (const encoded of ["+/+/AA==", "-_-_AA==", "-_-_AA"]) assert.deepEqual(fromBase64(encoded), bytes);
  assert.equal(base64url(bytes), "-_-_AA");
  assert.deepEqual(fromBase64(""), Uint8Array.of());
  for (const encoded of ["a", "a b=", "é", "A=A="]) assert.equal(fromBase64(encoded), undefined, encoded);
  assert.deepEqual(utf8("a€"), Uint8Array.of(97, 226, 130, 172));
});
