// The verdict of a policy.

import * as effects from "./effects.js";
import { parts, reply } from "./values.js";

/** The decision of a policy. It is reused only after `untilReload`, `forSeconds` or `until`. */
export class Verdict {
  constructor(outcome) {
    this.contract = {
      outcome,
      edits: [],
      responseEdits: [],
      effects: [],
      reuse: { tag: "never" },
      annotations: [],
    };
  }

  // Changes of the head of this phase.

  /** Replaces all lines of the field by one. An absent value removes the field. */
  setHeader(name, value) {
    return this.edit("set-header", { name, value: parts(value) });
  }
  /** Adds a line of the field. */
  appendHeader(name, value) {
    return this.edit("append-header", { name, value: parts(value) });
  }
  /** Adds the field if there is no line of it. */
  defaultHeader(name, value) {
    return this.edit("default-header", { name, value: parts(value) });
  }
  /** Removes all lines of the field. */
  removeHeader(name) {
    return this.edit("remove-header", name);
  }
  /** Replaces the path. Phase `request` only. */
  setPath(value) {
    return this.edit("set-path", parts(value));
  }
  /** Replaces the query, without `?`. Phase `request` only. */
  setQuery(value) {
    return this.edit("set-query", parts(value));
  }
  /** Replaces the status. Not in the phase `request`. */
  setStatus(status) {
    return this.edit("set-status", status);
  }
  /** Sets a variable of this policy. An absent value removes it. */
  setVariable(name, value) {
    return this.edit("set-variable", { name, value: parts(value) });
  }
  /** Adds any edit of the contract; a younger one with `edit("named", named(…))`. */
  edit(tag, val) {
    this.contract.edits.push({ tag, val });
    return this;
  }

  // Changes of the response that is finally delivered, whatever its source. Phases `request` and
  // `missing`. Their values are computed now.

  /** Replaces all lines of the response's field by one. */
  setResponseHeader(name, value) {
    return this.responseEdit("set-header", { name, value: parts(value) });
  }
  /** Adds a line of the response's field, for example of `Set-Cookie`. */
  appendResponseHeader(name, value) {
    return this.responseEdit("append-header", { name, value: parts(value) });
  }
  /** Adds the response's field if there is no line of it. */
  defaultResponseHeader(name, value) {
    return this.responseEdit("default-header", { name, value: parts(value) });
  }
  /** Removes all lines of the response's field. */
  removeResponseHeader(name) {
    return this.responseEdit("remove-header", name);
  }
  /** Replaces the status of the response. */
  setResponseStatus(status) {
    return this.responseEdit("set-status", status);
  }
  /** Adds any edit of the contract to those of the response. */
  responseEdit(tag, val) {
    this.contract.responseEdits.push({ tag, val });
    return this;
  }

  // Actions of the gateway. Each must be declared: `may.effect("take")`.

  /**
   * Takes tokens from a token bucket of the gateway. `cost` is a number, or `{ amount, otherwise,
   * most }` if the request states it: `amount` is a value. `otherwise` is the response if there
   * are not enough, with the options of `respond`; by default a 429. Phase `request` only.
   */
  take(options) {
    return this.effect("take", effects.take(options));
  }
  /**
   * Takes tokens even if there are not enough, down to `debt` below empty: what was used is known
   * only afterwards. The bucket is that of the `take` with the same options.
   */
  charge(options) {
    return this.effect("charge", effects.charge(options));
  }
  /**
   * Takes one of `most` places for each `key`, until the exchange has ended. `otherwise` is the
   * response if none is free; by default a 429. Phase `request` only.
   */
  concurrency(options) {
    return this.effect("concurrency", effects.concurrency(options));
  }
  /**
   * Requires that `signature` is valid for `message` under a secret. `otherwise` is the response
   * if it is not; by default a 401. Phase `request` only.
   */
  verify(options) {
    return this.effect("verify", effects.verify(options));
  }
  /** Chooses the upstream by its name, which `uses` must declare. Phase `request` only. */
  chooseUpstream(name) {
    return this.effect("choose-upstream", name);
  }
  /**
   * Divides requests among upstreams: `split({ weights: { stable: 95, canary: 5 }, sticky })`.
   * Requests with the same value of `sticky` go to the same upstream. Phase `request` only.
   */
  split(options) {
    return this.effect("split", effects.split(options));
  }
  /**
   * Sets the cache key of the request. Phase `request` only. `query` is the part of the
   * query in the key: "whole", "sorted", "ignored", `{ only: ["page"] }` or
   * `{ without: ["utm_*"] }`. The values of `varyOn` are added to the key. `bypass` is a
   * reason to neither look up nor store.
   */
  cacheLookup(options = {}) {
    return this.effect("cache-lookup", effects.cacheLookup(options));
  }
  /**
   * Sets whether and for how long the response is stored. Phase `fetched` only. `store` is
   * "by-fields", "by-fields-or-heuristic", "never" or a number of seconds.
   */
  cacheRule(options) {
    return this.effect("cache-rule", effects.cacheRule(options));
  }
  /** Adds the cache tags in this value, separated by commas or spaces. Phase `fetched` only. */
  cacheTag(value) {
    return this.effect("cache-tag", parts(value));
  }
  /**
   * Purges the stored responses of `{ url }`, `{ prefix }` or `{ tag }`, or by default all
   * of this site. With `soft: true` they become stale instead of being removed. Phases
   * `request`, `response` and `finished`.
   */
  purge(options = {}) {
    return this.effect("purge", effects.purge(options));
  }
  /**
   * Bans `subject` for `forSeconds` once there were `after` such verdicts within `withinSeconds`.
   * Phases `request`, `response` and `finished`.
   */
  ban(options) {
    return this.effect("ban", effects.ban(options));
  }
  /** Adds any effect of the contract, with all of its fields; a younger one as in `edit`. */
  effect(tag, val) {
    this.contract.effects.push({ tag, val });
    return this;
  }

  // Reuse, and the access log.

  /** Allows reuse for the same inputs until the configuration changes. */
  untilReload() {
    return this.reuse("until-reload");
  }
  /** Allows reuse for the same inputs for this many seconds. */
  forSeconds(seconds) {
    return this.reuse("seconds", seconds);
  }
  /** Allows reuse for the same inputs until this moment, in Unix seconds. */
  until(seconds) {
    return this.reuse("until", Math.floor(seconds));
  }
  /** Sets any rule of the contract. */
  reuse(tag, val) {
    this.contract.reuse = val === undefined ? { tag } : { tag, val };
    return this;
  }
  /** Adds a word to the access log, also when the verdict is reused. */
  annotate(name, value) {
    this.contract.annotations.push({ name, value: parts(value) });
    return this;
  }
  /** An annotation with the name `note`. */
  note(note) {
    return this.annotate("note", note);
  }
}

/** The exchange continues. */
export const proceed = () => new Verdict({ tag: "proceed" });

/**
 * Ends the request with this response:
 * `respond({ status: 403, text: "No\n", headers: { "x-why": "…" } })`. In the phases
 * `fetched` and `response` it replaces the response. The body is `text`, `bytes`, or
 * `json`: any value that `JSON.stringify` accepts, sent as `application/json`.
 */
export const respond = (answer) => new Verdict({ tag: "respond", val: reply(answer) });

/** Serves this path of the same target instead. Phase `missing` only. */
export const serve = (path) => new Verdict({ tag: "serve", val: parts(path) });

/** Any outcome of the contract. */
export const outcome = (tag, val) => new Verdict(val === undefined ? { tag } : { tag, val });
