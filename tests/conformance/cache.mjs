// The caches that can be tested. Each function starts one between the suite's client
// and its origin, and returns its port.

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

import { accepts, freePort, start } from "./process.mjs";

const here = path.dirname(new URL(import.meta.url).pathname);

export const CACHES = { janua, nginx, varnish };

async function janua({ work, origin, program, target }) {
  const binary = path.resolve(program ?? path.join(target, "debug/janua"));
  if (!fs.existsSync(binary)) throw new Error(`${binary} is not built`);
  return boot(work, origin, "janua.toml", (file) => ({
    command: [binary, "run", "--config", file, "--admin", path.join(work, "admin.sock")],
    version: firstLine(binary, "--version"),
  }));
}

async function nginx({ work, origin, program }) {
  const binary = find("nginx", program);
  return boot(work, origin, "nginx.conf", (file) => ({
    command: [binary, "-e", "stderr", "-g", "daemon off;", "-c", file],
    version: firstLine(binary, "-v"),
  }));
}

async function varnish({ work, origin, program }) {
  const binary = find("varnishd", program);
  return boot(work, origin, "varnish.vcl", (file, port) => ({
    command: [
      binary, "-F", "-n", path.join(work, "varnish"), "-j", "none",
      "-a", `127.0.0.1:${port}`, "-f", file, "-s", "malloc,64m",
      // Responses without a lifetime are not stored, and stale ones not served: the
      // suite's setup fails otherwise.
      "-p", "default_ttl=0", "-p", "default_grace=0", "-p", "default_keep=3600",
    ],
    version: firstLine(binary, "-V"),
  }));
}

/** Fills in the configuration template next to this file, and starts the program. */
async function boot(work, origin, template, how) {
  const port = await freePort();
  const file = path.join(work, template);
  const text = fs
    .readFileSync(path.join(here, template), "utf8")
    .replaceAll("{{dir}}", work)
    .replaceAll("{{port}}", port)
    .replaceAll("{{origin}}", origin);
  fs.writeFileSync(file, text);
  const { command, version } = how(file, port);
  const running = await start(command, { log: path.join(work, "log"), ready: () => accepts(port) });
  return { ...running, port, version };
}

function find(name, program) {
  if (program !== undefined) return path.resolve(program);
  // On Debian, servers are in directories that are not in the PATH of ordinary users.
  const directories = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"];
  const found = directories.map((directory) => path.join(directory, name)).find((file) => fs.existsSync(file));
  if (found === undefined) throw new Error(`${name} is not installed`);
  return found;
}

/** The first line of a program's version; some print it to standard error. */
function firstLine(binary, argument) {
  const text = execFileSync("sh", ["-c", '"$0" "$1" 2>&1', binary, argument], { encoding: "utf8" });
  return text.trim().split("\n")[0];
}
