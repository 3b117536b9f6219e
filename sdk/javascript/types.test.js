import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import test from "node:test";

const TSC = process.env.JANUA_TSC;
const skip = TSC ? false : "JANUA_TSC does not name a TypeScript compiler: run `make sdk-js-test`";

/** The lines with errors in a file of `types`. */
function errors(file) {
  const strict = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022"];
  const { status, stdout } = spawnSync(TSC, [...strict, file], {
    cwd: new URL("types", import.meta.url),
    encoding: "utf8",
  });
  const lines = [...stdout.matchAll(/^(\S+)\((\d+),\d+\): error/gm)].map(([, name, line]) => {
    assert.equal(name, file, stdout);
    return Number(line);
  });
  assert.equal(status === 0, lines.length === 0, stdout);
  return { lines, stdout };
}

test("a policy in TypeScript is accepted", { skip }, () => {
  const { lines, stdout } = errors("policy.ts");
  assert.deepEqual(lines, [], stdout);
});

test("mistakes in TypeScript are refused", { skip }, () => {
  const source = readFileSync(new URL("types/wrong.ts", import.meta.url), "utf8").split("\n");
  const wrong = source.flatMap((line, index) => (line.trim().startsWith("// wrong:") ? [index + 2] : []));
  const { lines, stdout } = errors("wrong.ts");
  assert.ok(wrong.length > 8);
  assert.deepEqual([...new Set(lines)], wrong, stdout);
});

test("what the types declare is exported", async () => {
  const declared = (module) =>
    [...readFileSync(new URL(`${module}.d.ts`, import.meta.url), "utf8").matchAll(
      /^export (?:function|const|class) (\w+)/gm,
    )].map(([, name]) => name);
  for (const module of ["janua", "bytes"]) {
    const exported = Object.keys(await import(`./${module}.js`));
    assert.deepEqual(declared(module).sort(), exported.sort(), module);
  }
});

test("the types have all inputs", async () => {
  const { input } = await import("./janua.js");
  const text = readFileSync(new URL("janua.d.ts", import.meta.url), "utf8");
  const unions = text.slice(text.indexOf("type Plain"), text.indexOf("/** The inputs of the contract"));
  const declared = [...unions.matchAll(/\| "(\w+)"/g)].map(([, name]) => name);
  const others = ["clientNetwork", "lookup", "named"];
  assert.deepEqual([...declared, ...others].sort(), Object.keys(input).sort());
});

test("the SDK has all inputs and effects of the contract", async () => {
  const { input, Verdict } = await import("./janua.js");
  const camel = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
  const cases = (file, variant) => {
    const text = readFileSync(new URL(`../../wit/${file}.wit`, import.meta.url), "utf8");
    const body = text.slice(text.indexOf(`variant ${variant} {`)).split("\n    }")[0];
    return [...body.matchAll(/^ {8}([a-z0-9-]+)(?:\(.*\))?,$/gm)].map(([, name]) => camel(name));
  };
  const inputs = cases("subscriptions", "input");
  assert.ok(inputs.length > 50);
  assert.deepEqual(inputs.sort(), Object.keys(input).sort());
  for (const name of [...cases("effects", "effect"), ...cases("verdicts", "edit")]) {
    if (name !== "named") assert.equal(typeof Verdict.prototype[name], "function", name);
  }
});
