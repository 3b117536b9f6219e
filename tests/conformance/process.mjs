// Starts the processes of a run, and ends them by their ids.

import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";

const START_LIMIT = 20_000;
const STOP_LIMIT = 3_000;

const running = new Set();

/**
 * Starts a process whose output goes to the file `log`. `ready` is called repeatedly
 * until it returns a true value: the process then serves.
 */
export async function start(command, { log, env = {}, cwd, ready }) {
  const output = fs.openSync(log, "w");
  const [program, ...words] = command;
  const child = spawn(program, words, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", output, output],
  });
  fs.closeSync(output);
  running.add(child);
  let failed;
  child.on("error", (error) => (failed = error));
  const ended = () => failed !== undefined || child.exitCode !== null || child.signalCode !== null;
  const one = {
    log,
    /** Throws if the process has ended, since another one may have answered then. */
    check() {
      if (ended()) throw new Error(`${program} has ended${tail(log)}`);
    },
  };
  const limit = Date.now() + START_LIMIT;
  for (;;) {
    await pause(20);
    if (failed !== undefined) throw failed;
    one.check();
    const value = await ready(one);
    if (value) return Object.assign(one, { value });
    if (Date.now() > limit) throw new Error(`${program} does not serve${tail(log)}`);
  }
}

/** Ends every process that `start` started, the last one first. */
export async function endAll() {
  for (const child of [...running].reverse()) {
    running.delete(child);
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) continue;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    const killed = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT);
    await gone;
    clearTimeout(killed);
  }
}

/** A port of 127.0.0.1 that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Whether something accepts connections on this port of 127.0.0.1. */
export function accepts(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    const done = (value) => {
      socket.destroy();
      resolve(value);
    };
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
  });
}

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function tail(log) {
  const lines = fs.readFileSync(log, "utf8").trimEnd().split("\n");
  return `:\n${lines.slice(-15).join("\n")}`;
}
