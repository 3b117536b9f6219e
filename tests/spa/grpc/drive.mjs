// A page in a browser makes calls of gRPC-Web: the interoperability cases of gRPC that a browser
// has.
//
//   node drive.mjs '{"origins": …, "certificate": …, "address": …, "chromium": …}'
//
// origins      where the page lives: for each protocol its origin
// the others   see browser.mjs
//
// A line for each step; the exit code is 1 if one failed.

import assert from "node:assert/strict";
import { launch } from "../browser.mjs";

const settings = JSON.parse(process.argv[2]);
const PATIENCE = 15_000; // milliseconds for one step
const LARGE = "a".repeat(271828);
const SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n";
const code = { unknown: 2, late: 4, unimplemented: 12, unavailable: 14, unauthenticated: 16 };

const browser = await launch(settings);
try {
  for (const [protocol, origin] of Object.entries(settings.origins)) {
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    await page.goto(`${origin}/`);
    for (const format of ["binary", "text"]) await unary(page, format, `${protocol}, ${format}`);
    await streams(page, protocol);
    const protocols = await page.evaluate(() => {
      const loaded = performance.getEntriesByType("resource");
      return loaded.map(({ nextHopProtocol }) => nextHopProtocol);
    });
    assert(protocols.length > 0 && protocols.every((used) => used === protocol), protocols);
    done(`${protocol} is spoken`);
  }
} catch (error) {
  console.log(`FAILED ${error.stack}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}

/** Says that a step is done. */
function done(what) {
  console.log(`ok ${what}`);
}

/** Calls with one message for one. */
async function unary(page, format, what) {
  const call = (path, text, metadata) =>
    page.evaluate((...args) => window.calls.unary(...args), format, path, text, metadata ?? {});

  for (const text of ["", "hello", LARGE]) {
    const came = await call("/test.Test/Unary", text);
    assert.equal(came.code, 0, came.details);
    assert(came.messages.length === 1 && came.messages[0] === text);
  }
  done(`${what}: messages, empty and large ones too`);

  const sent = { "x-text": "a b", "x-data-bin": btoa("\xab\xab\xab\x00\xff") };
  const { head, trailers } = await call("/test.Test/Metadata", "x", sent);
  const both = { ...head, ...trailers };
  assert.equal(head["x-text"], "a b");
  assert.equal(both["x-text-back"], "a b");
  assert.equal(both["x-data-back-bin"].replace(/=*$/, ""), sent["x-data-bin"].replace(/=*$/, ""));
  done(`${what}: metadata in the head and in the trailers`);

  for (let number = 1; number <= 16; number += 1) {
    const failed = await call("/test.Test/Fail", `${number} test status`);
    assert.deepEqual([failed.code, failed.details], [number, "test status"]);
  }
  const special = await call("/test.Test/Fail", `${code.unknown} ${SPECIAL}`);
  assert.deepEqual([special.code, special.details], [code.unknown, SPECIAL]);
  done(`${what}: each status, and a message with special characters`);

  for (const [path, expected] of [
    ["/test.Test/Nothing", code.unimplemented],
    ["/gone.Gone/Unary", code.unavailable],
    ["/closed.Closed/Unary", code.unauthenticated],
  ]) {
    const failed = await call(path, "x");
    assert.equal(failed.code, expected, `${path}: ${failed.details}`);
  }
  done(`${what}: no such method, no server, and a policy that refuses`);
}

/** Calls with one message for many. */
async function streams(page, what) {
  const call = (path, text, metadata, most) =>
    page.evaluate((...args) => window.calls.stream(...args), path, text, metadata ?? {}, most);

  const came = await call("/test.Test/Count", "500");
  assert.equal(came.code, 0, came.details);
  assert.deepEqual(came.messages, [...Array(500).keys()].map(String));
  done(`${what}: a stream of messages`);

  const failed = await call("/test.Test/FailStream", `${code.unknown} test status`);
  assert.deepEqual([failed.code, failed.details], [code.unknown, "test status"]);
  done(`${what}: a status within a stream`);

  const late = await call("/test.Test/Sleep", "60", { deadline: `${Date.now() + 500}` });
  assert.equal(late.code, code.late, late.details);
  done(`${what}: a deadline`);

  // The second message would take a minute.
  const first = await call("/test.Test/Sleep", "60", {}, 1);
  assert.deepEqual(first.messages, ["60"]);
  done(`${what}: a stream that is cancelled after its first message`);
}
