// What a run found, as a page and in a few lines.

import { KINDS } from "./grade.mjs";

const of = (counts, word) => counts[word] ?? 0;
/** Tests that apply to a shared cache. */
const total = (counts) =>
  Object.entries(counts).reduce((sum, [word, count]) => (word === "not run" ? sum : sum + count), 0);

/** For the terminal. */
export function summary(found) {
  const { graded } = found;
  const lines = [
    `${found.who.name} (${found.who.version}): ${graded.passes} passes, ` +
      `${graded.failures.length} required failures, ${graded.run} tests run, ${found.seconds.toFixed(0)} s`,
  ];
  for (const kind of KINDS) {
    const words = Object.entries(graded.counts[kind]).map(([word, count]) => `${count} ${word}`);
    lines.push(`  ${kind}: ${words.join(", ")}`);
  }
  const silent = graded.unjudged.filter((test) => test.kind === "required" && test.word !== "dependency failed");
  for (const test of [...graded.failures, ...silent]) lines.push(`  ${test.word}: ${test.id}: ${test.message ?? ""}`);
  if (found.floor !== undefined && graded.passes < found.floor) lines.push(`  fewer than ${found.floor} passes`);
  return lines.join("\n");
}

/** docs/conformance.md. */
export function page(found) {
  return `${[
    introduction(found),
    table(found),
    rule(found.floor),
    section(found, "Required tests that are not passed", "required", ["pass"]),
    section(found, "Optimal behaviour that is missing", "optimal", ["pass"]),
    checks(found),
    REPEAT,
  ].join("\n\n")}\n`;
}

function introduction({ suite, who, graded }) {
  const applicable = graded.tests.filter((test) => test.word !== "not run").length;
  return `# Conformance to RFC 9111

Written by \`make conformance\`; do not edit. The suite is the npm package
\`http-cache-tests\` ${suite.version}, the one behind cache-tests.fyi: ${suite.tests.length} tests, of which
${applicable} apply to a shared cache. Tested: ${who.version}, a debug build with
\`tests/conformance/janua.toml\`: \`cache = true\` and no policies.`;
}

function table({ who, graded, peers }) {
  const rows = [{ name: `**${who.name}**`, version: "this build", graded }, ...peers];
  const lines = rows.map(({ name, version, graded: { counts, passes, failures, unjudged } }) => {
    const { required, optimal, check } = counts;
    return (
      `| ${name} | ${version} | **${passes}** | ${of(required, "pass")} of ${total(required)} | ${failures.length} ` +
      `| ${of(optimal, "pass")} of ${total(optimal)} | ${of(check, "yes")} of ${total(check)} | ${unjudged.length} |`
    );
  });
  return `## Beside its peers

The others' results are those that the package carries, counted by the same rule.

| cache | version | passes | required passed | required failed | optimal passed | checks answered yes | no verdict |
|---|---|--:|--:|--:|--:|--:|--:|
${lines.join("\n")}`;
}

const rule = (floor) => `## How it is counted

By the suite's own rule (\`determineTestResult\` in its \`lib/display.mjs\`), for the
gateway and for the others:

- A test is *required* (RFC 9111 demands it), *optimal* (a good cache does it) or
  a *check* (it asks how a cache behaves; neither answer is wrong).
- A **pass** is a required or optimal test that succeeded while all tests that it
  depends on succeeded too (a check among them with "yes"). Checks are never
  passes.
- A **required failure** is a required test in which an assertion of what it is
  about failed.
- No verdict have: a test that depends on another that did not succeed
  ("dependency failed", whatever it came to by itself); one that could not be set
  up ("setup failed": often a response was not stored, which RFC 9111 leaves to
  the cache); one of which the origin saw a request twice ("retried"). They are
  neither passed nor failed, and are listed below with the rest.
- Tests for browsers only are not run.

\`make conformance\` fails on a required failure, and on fewer than ${floor} passes.`;

function section({ graded }, title, kind, without) {
  const tests = graded.tests.filter(
    (test) => test.kind === kind && !without.includes(test.word) && test.word !== "not run",
  );
  if (tests.length === 0) return `## ${title}\n\nNone.`;
  const lines = tests.map((test) => `| \`${test.id}\` | ${test.word} | ${cell(test.name)} | ${cell(said(test))} |`);
  return `## ${title}\n\n| test | verdict | what it asks | what was seen |\n|---|---|---|---|\n${lines.join("\n")}`;
}

function checks({ graded }) {
  const tests = graded.tests.filter((test) => test.kind === "check" && test.word !== "not run");
  const lines = tests.map((test) => `| \`${test.id}\` | ${test.word} | ${cell(test.name)} |`);
  return `## Checks\n\n| test | answer | what it asks |\n|---|---|---|\n${lines.join("\n")}`;
}

// The page of two runs shall be the same: what a test said of itself holds
// numbers of that run only where it names a body or a time.
const said = (test) =>
  (test.message ?? "")
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "…")
    .replace(/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/g, "…")
    .replace(/127\.0\.0\.1:\d+/g, "…");

const cell = (text) => text.replaceAll("|", "\\|").replaceAll("\n", " ");

const REPEAT = `## How to repeat

\`\`\`sh
make conformance                                          # this page
tests/conformance/run --id freshness-max-age              # one test, with its messages
tests/conformance/run --against nginx                     # a peer, to see that the counting is right
\`\`\``;
