// The results of a run as a page, and as a summary for the terminal.

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
  return `## Comparison with other caches

The results of the others come with the package, and are counted by the same rule.

| cache | version | passes | required passed | required failed | optimal passed | checks answered yes | no verdict |
|---|---|--:|--:|--:|--:|--:|--:|
${lines.join("\n")}`;
}

const rule = (floor) => `## How it is counted

By the suite's own rule (\`determineTestResult\` in its \`lib/display.mjs\`), for the
gateway and for the other caches:

- A test is *required* (RFC 9111 demands it), *optimal* (a good cache does it) or
  a *check* (it finds out how a cache behaves; both answers are correct).
- A **pass** is a required or optimal test that succeeded, and all tests that it
  depends on succeeded too (a check with "yes"). Checks are never passes.
- A **required failure** is a required test in which an assertion about its
  subject failed.
- A test has no verdict if a test that it depends on did not succeed ("dependency
  failed", whatever its own result is); if it could not be set up ("setup
  failed": often a response was not stored, which RFC 9111 allows); or if the
  origin received a request twice ("retried"). Such tests are neither passed nor
  failed, and are listed below with the others.
- Tests for browsers only are not run.

\`make conformance\` fails on a required failure, and on fewer than ${floor} passes.`;

function section({ graded }, title, kind, without) {
  const tests = graded.tests.filter(
    (test) => test.kind === kind && !without.includes(test.word) && test.word !== "not run",
  );
  if (tests.length === 0) return `## ${title}\n\nNone.`;
  const lines = tests.map((test) => `| \`${test.id}\` | ${test.word} | ${cell(test.name)} | ${cell(said(test))} |`);
  return `## ${title}\n\n| test | verdict | requirement | observation |\n|---|---|---|---|\n${lines.join("\n")}`;
}

function checks({ graded }) {
  const tests = graded.tests.filter((test) => test.kind === "check" && test.word !== "not run");
  const lines = tests.map((test) => `| \`${test.id}\` | ${test.word} | ${cell(test.name)} |`);
  return `## Checks\n\n| test | answer | question |\n|---|---|---|\n${lines.join("\n")}`;
}

// The message of a test, without identifiers, times and ports, so that the page does
// not change from run to run.
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
tests/conformance/run --against nginx                     # another cache, to check the counting
\`\`\``;
