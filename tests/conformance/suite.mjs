// The npm package `http-cache-tests`: installs it, starts its origin, runs its client,
// and reads its published results.

import { execFile } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

import { start } from "./process.mjs";

const run = promisify(execFile);
const here = path.dirname(new URL(import.meta.url).pathname);

/** The caches whose published results are compared with the gateway's. */
const PEERS = ["httpd", "Squid", "Varnish", "nginx", "ATS"];

export class Suite {
  /** Installs the version that package.json names, unless it is there. */
  static async install(directory) {
    const wanted = fs.readFileSync(path.join(here, "package.json"), "utf8");
    const stamp = path.join(directory, "installed");
    if (!fs.existsSync(stamp) || fs.readFileSync(stamp, "utf8") !== wanted) {
      fs.mkdirSync(directory, { recursive: true });
      fs.writeFileSync(path.join(directory, "package.json"), wanted);
      await run("npm", ["install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"], { cwd: directory });
      fs.writeFileSync(stamp, wanted);
    }
    const suite = new Suite();
    suite.directory = path.join(directory, "node_modules/http-cache-tests");
    const load = (file) => import(pathToFileURL(path.join(suite.directory, file)).href);
    suite.version = JSON.parse(fs.readFileSync(path.join(suite.directory, "package.json"), "utf8")).version;
    // The tests that the suite's own client runs: its list, and the tests of
    // Surrogate-Control, which are not in the list.
    suite.areas = [...(await load("tests/index.mjs")).default, (await load("tests/surrogate-control.mjs")).default];
    suite.tests = suite.areas.flatMap((area) => area.tests);
    suite.verdict = (await load("lib/display.mjs")).determineTestResult;
    suite.peers = (await load("results/index.mjs")).default;
    return suite;
  }

  /** Starts the origin on a port of its own choice. */
  async serve(work) {
    const origin = await start(
      ["node", "--require", path.join(here, "loopback.cjs"), "--no-warnings", "server/server.mjs"],
      {
        cwd: this.directory,
        log: path.join(work, "origin.log"),
        env: { npm_config_protocol: "http", npm_config_port: "0", npm_config_pidfile: path.join(work, "origin.pid") },
        ready: ({ log }) => /Listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(fs.readFileSync(log, "utf8")),
      },
    );
    return { ...origin, port: Number(origin.value[1]) };
  }

  /** Runs all tests through the cache on this port; returns the results. */
  async run(port) {
    return JSON.parse(await this.#client(port, ""));
  }

  /** Runs one test; returns the client's detailed output. */
  async runOne(port, id) {
    if (!this.tests.some((test) => test.id === id)) throw new Error(`no test is called ${id}`);
    return this.#client(port, id);
  }

  async #client(port, id) {
    const { stdout } = await run("node", ["--no-warnings", "cli.mjs"], {
      cwd: this.directory,
      maxBuffer: 64 * 1024 * 1024,
      timeout: 4 * 60 * 1000,
      env: {
        ...process.env,
        npm_config_base: `http://127.0.0.1:${port}`,
        npm_config_id: id,
        npm_package_config_id: id,
      },
    });
    return stdout;
  }

  /** The published results of other caches: name, version, results by test. */
  published() {
    return PEERS.map((name) => this.peers.find((peer) => peer.name === name)).map((peer) => ({
      name: peer.name,
      version: peer.version,
      results: JSON.parse(fs.readFileSync(path.join(this.directory, "results", peer.file), "utf8")),
    }));
  }
}
