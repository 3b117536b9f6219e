// What a page asked for, and what of it went over the wire.

/** The requests of one page, in order. */
export class Traffic {
  /** What went wrong in the page. */
  errors = [];
  #seen = new Map();
  #expected = 0;

  /** Watches a page from now on. */
  static async of(page) {
    const traffic = new Traffic();
    const session = await page.createCDPSession();
    session.on("Network.requestWillBeSent", ({ requestId, request }) => {
      const { pathname, search } = new URL(request.url);
      const { method } = request;
      traffic.#of(requestId, { method, path: pathname + search });
    });
    // The status on the wire: for a 304, `responseReceived` says 200. Absent
    // if the browser's cache answered. It may come before or after the other.
    session.on("Network.responseReceivedExtraInfo", ({ requestId, statusCode }) => {
      traffic.#of(requestId, { wire: statusCode });
    });
    session.on("Network.responseReceived", ({ requestId, response }) => {
      const fields = Object.entries(response.headers);
      const headers = Object.fromEntries(fields.map(([name, value]) => [name.toLowerCase(), value]));
      traffic.#of(requestId, { status: response.status, headers });
    });
    page.on("pageerror", (error) => traffic.errors.push(`${error}`));
    page.on("console", (message) => {
      if (message.type() !== "error") return;
      if (traffic.#expected > 0) traffic.#expected -= 1;
      else traffic.errors.push(message.text());
    });
    await session.send("Network.enable");
    return traffic;
  }

  /** Forgets what was seen so far. */
  clear() {
    this.#seen.clear();
  }

  /** One error that the page is about to report is meant to be. */
  expectError() {
    this.#expected += 1;
  }

  /** The requests whose path and query fit. */
  matching(pattern) {
    return [...this.#seen.values()].filter(({ path }) => path && pattern.test(path));
  }

  /** The only request for this path and query. */
  only(target) {
    const found = [...this.#seen.values()].filter(({ path }) => path === target);
    if (found.length !== 1) throw new Error(`${found.length} requests for ${target}:\n${this}`);
    return found[0];
  }

  toString() {
    const line = ({ method, path, wire, status }) =>
      `${method} ${path} ${wire ?? "not on the wire"} (${status ?? "no response"})`;
    return [...this.#seen.values()].map(line).concat(this.errors).join("\n");
  }

  #of(id, facts) {
    this.#seen.set(id, { ...this.#seen.get(id), ...facts });
  }
}
