// Runs the suite of cache-tests.fyi against the gateway, or against another cache to
// check that this runner counts correctly. The steps: install the suite, start the
// origin and the cache, run the suite's client, grade, report.

import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";

import { CACHES } from "./cache.mjs";
import { endAll } from "./process.mjs";
import { grade } from "./grade.mjs";
import { page, summary } from "./report.mjs";
import { Suite } from "./suite.mjs";

/** The least number of passes for the gateway: more than any other cache published. */
const FLOOR = 200;

const HELP = `usage: tests/conformance/run [options]

  --against NAME   the cache to test: ${Object.keys(CACHES).join(", ")}; default janua
  --program PATH   its binary; default: the debug build of the gateway, or the one in PATH
  --out FILE       write the page there; only with janua; default docs/conformance.md
  --id TEST        run only this test, and show the messages of client and origin
  --results FILE   write the suite's raw results as JSON

Exits with 0 if no required test failed and at least ${FLOOR} tests passed, with 1
if not, and with 2 if the suite did not run. For other caches than janua, it exits
with 0 whenever the suite ran.`;

const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), "../..");
const target = path.resolve(root, process.env.CARGO_TARGET_DIR ?? "target");

async function main() {
  const { values: options } = parseArgs({
    options: {
      against: { type: "string", default: "janua" },
      program: { type: "string" },
      out: { type: "string", default: path.join(root, "docs/conformance.md") },
      id: { type: "string" },
      results: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  const make = CACHES[options.against];
  if (make === undefined) throw new Error(`--against: one of ${Object.keys(CACHES).join(", ")}`);

  const suite = await Suite.install(path.join(target, "tools/conformance"));
  const work = path.join(target, "conformance", options.against);
  fs.rmSync(work, { recursive: true, force: true });
  fs.mkdirSync(work, { recursive: true });

  const began = Date.now();
  const origin = await suite.serve(work);
  const cache = await make({ work, origin: origin.port, program: options.program, target });
  if (options.id !== undefined) {
    console.log(await suite.runOne(cache.port, options.id));
    console.log(fs.readFileSync(origin.log, "utf8"));
    return 0;
  }
  const raw = await suite.run(cache.port);
  const seconds = (Date.now() - began) / 1000;
  cache.check();
  if (options.results !== undefined) fs.writeFileSync(options.results, JSON.stringify(raw, null, 2));

  const found = {
    suite,
    seconds,
    who: { name: options.against, version: cache.version },
    graded: grade(suite, raw),
    peers: suite.published().map((peer) => ({ ...peer, graded: grade(suite, peer.results) })),
    // Other caches have no minimum.
    floor: options.against === "janua" ? FLOOR : undefined,
  };
  console.log(summary(found));
  if (options.against !== "janua") return 0;
  fs.writeFileSync(options.out, page(found));
  return found.graded.failures.length === 0 && found.graded.passes >= FLOOR ? 0 : 1;
}

// A run that takes longer has failed: the suite takes about half a minute.
const LIMIT = 5 * 60 * 1000;
const limit = setTimeout(() => finish(new Error(`not done within ${LIMIT / 1000} s`)), LIMIT);

async function finish(error, code) {
  clearTimeout(limit);
  if (error !== undefined) console.error(`conformance: ${error.message}`);
  await endAll();
  process.exit(error === undefined ? code : 2);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => finish(new Error(signal)));
main().then((code) => finish(undefined, code), (error) => finish(error));
