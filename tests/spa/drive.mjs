// A browser uses the application through the gateway, while a deploy goes by.
//
//   node drive.mjs '{"origin": …, "certificate": …, "address": …, "chromium": …, "deploy": […], "old": …, "screenshots": …}'
//
// origin       where the application lives, for example https://app.example.com:8443
// certificate  its certificate
// address      the address that its host stands for
// chromium     the browser's executable; see browser.mjs for these three
// deploy       the command that puts the next build live, and its arguments
// old          the file name of the lazily loaded chunk of the build that is live
// screenshots  a directory for a picture of each page when something failed
//
// A line for each step; the exit code is 1 if one failed.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { launch } from "./browser.mjs";
import { Traffic } from "./traffic.mjs";

const settings = JSON.parse(process.argv[2]);
const run = promisify(execFile);
const PATIENCE = 15_000; // milliseconds for one step
const YEAR = "public, max-age=31536000, immutable";

const browser = await launch(settings);
const pages = [];

try {
  await steps();
} catch (error) {
  console.log(`FAILED ${error.stack}`);
  for (const [number, { page, traffic }] of pages.entries()) {
    console.log(`--- page ${number}, at ${page.url()}\n${traffic}`);
    const path = join(settings.screenshots, `page-${number}.png`);
    await page.screenshot({ path }).catch((why) => console.log(`no picture: ${why.message}`));
  }
  process.exitCode = 1;
} finally {
  await browser.close();
}

/** Says that a step is done. */
function done(what) {
  console.log(`ok ${what}`);
}

/** A page with a cache of its own, as another visitor has it. */
async function visitor() {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const traffic = await Traffic.of(page);
  pages.push({ page, traffic });
  return { page, traffic };
}

/** Waits for an element and says from which build it is. */
async function build(page, selector) {
  const element = await page.waitForSelector(selector);
  return element.evaluate((node) => node.dataset.build);
}

async function steps() {
  const first = await visitor();
  await first.page.goto(`${settings.origin}/`);
  assert.equal(await build(first.page, "nav"), "a");
  const index = first.traffic.only("/");
  assert.equal(index.wire, 200);
  assert.match(index.headers["content-type"], /^text\/html/);
  assert.equal(index.headers["cache-control"], "no-cache");
  done("the index is served, to be revalidated each time");

  const shell = first.traffic.matching(/^\/static\/index-.*\.js$/);
  assert.equal(shell.length, 1);
  assert.match(shell[0].headers["content-type"], /^text\/javascript/);
  assert.equal(shell[0].headers["cache-control"], YEAR);
  assert.equal(shell[0].headers["content-encoding"], "br");
  done("an asset is immutable for a year, and compressed");

  assert.deepEqual(first.traffic.matching(/\/reports-/), []);
  await first.page.click("a[href='/reports/2026']");
  assert.equal(await build(first.page, "#reports"), "a");
  const chunk = first.traffic.only(`/static/${settings.old}`);
  assert.equal(chunk.wire, 200);
  done("a chunk is loaded when it is gone to");

  const deep = await visitor();
  await deep.page.goto(`${settings.origin}/reports/2025?sort=up`);
  assert.equal(await build(deep.page, "#reports"), "a");
  const linked = deep.traffic.only("/reports/2025?sort=up");
  assert.equal(linked.wire, 200);
  assert.equal(linked.headers["cache-control"], "no-cache");
  done("a deep link opens its page");

  deep.traffic.clear();
  await deep.page.reload();
  assert.equal(await build(deep.page, "#reports"), "a");
  assert.equal(deep.traffic.only("/reports/2025?sort=up").wire, 304);
  done("a reload opens it again, and the index is revalidated with 304");
  assert.deepEqual(deep.traffic.matching(/^\/static\//).filter((seen) => seen.wire), []);
  done("a reload asks for no asset");

  await deep.page.goto(`${settings.origin}/no/such/page`);
  await deep.page.waitForSelector("#unknown");
  done("a path that only the application knows is the application's");

  deep.traffic.expectError();
  const missing = await deep.page.evaluate(async () => {
    const response = await fetch("/static/reports-00000000.js");
    return { status: response.status, text: await response.text() };
  });
  assert.equal(missing.status, 404);
  assert.doesNotMatch(missing.text, /<div id="app">/);
  done("a missing asset is 404 and not the index");

  const open = await visitor();
  await open.page.goto(`${settings.origin}/`);
  assert.equal(await build(open.page, "nav"), "a");
  const [command, ...args] = settings.deploy;
  const { stdout, stderr } = await run(command, args, { timeout: PATIENCE });
  console.log(`${stdout}${stderr}`.trim().replace(/^/gm, "   | "));
  done("the next build is deployed while a page is open");

  open.traffic.clear();
  await open.page.click("a[href='/reports/2026']");
  assert.equal(await build(open.page, "#reports"), "a");
  const old = open.traffic.only(`/static/${settings.old}`);
  assert.equal(old.wire, 200, "from the gateway, not from a cache of the browser");
  assert.equal(old.headers["cache-control"], YEAR);
  done("the open page loads a chunk of the build before");

  await open.page.reload();
  assert.equal(await build(open.page, "nav"), "b");
  assert.equal(await build(open.page, "#reports"), "b");
  assert.notEqual(open.traffic.matching(/\/reports-.*\.js$/).at(-1).path, old.path);
  done("its reload is the new build");

  await first.page.goto(`${settings.origin}/settings`);
  assert.equal(await build(first.page, "#settings"), "b");
  await deep.page.goto(`${settings.origin}/reports/2025?sort=up`);
  assert.equal(await build(deep.page, "#reports"), "b");
  done("the index is fresh for who has been here before");

  for (const { traffic } of pages) assert.deepEqual(traffic.errors, []);
  done("no page has failed");
}
