// Counts results by the suite's own rule: `determineTestResult` of its
// `lib/display.mjs`, which also makes the tables of cache-tests.fyi.

/** The verdicts for the symbols that this function returns. */
const WORDS = {
  "✅": "pass",
  "⛔️": "fail",
  "⚠️": "not optimal",
  Y: "yes",
  N: "no",
  "🔹": "setup failed",
  "⁉️": "harness failed",
  "⚪️": "dependency failed",
  "↻": "retried",
  "-": "not run",
};

export const KINDS = ["required", "optimal", "check"];

/**
 * Counts results. `counts[kind][word]` are numbers of tests; `passes` are the
 * number of tests of the kinds `required` and `optimal` whose verdict is "pass";
 * `failures` are the required tests whose verdict is "fail" or "harness failed";
 * `unjudged` are the tests of all kinds without a verdict.
 */
export function grade(suite, results) {
  const counts = Object.fromEntries(KINDS.map((kind) => [kind, {}]));
  const tests = [];
  for (const area of suite.areas) {
    for (const test of area.tests) {
      const kind = test.kind ?? "required";
      const word = WORDS[suite.verdict(suite.areas, test.id, results)[2]];
      if (word === undefined) throw new Error(`${test.id}: an unknown verdict`);
      counts[kind][word] = (counts[kind][word] ?? 0) + 1;
      const message = Array.isArray(results[test.id]) ? results[test.id][1] : undefined;
      tests.push({ id: test.id, name: test.name, area: area.name, kind, word, message });
    }
  }
  return {
    counts,
    tests,
    run: Object.keys(results).length,
    passes: (counts.required.pass ?? 0) + (counts.optimal.pass ?? 0),
    failures: tests.filter((test) => test.kind === "required" && ["fail", "harness failed"].includes(test.word)),
    unjudged: tests.filter((test) => ["setup failed", "retried", "dependency failed"].includes(test.word)),
  };
}
