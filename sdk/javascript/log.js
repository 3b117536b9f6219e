/**
 * Lines for the operator. They are not repeated when a verdict is reused: what must be logged each
 * time is for `Verdict.annotate`.
 */

import { log } from "janua:policy/log@0.1.0";

export const debug = (message) => log("debug", String(message));
export const info = (message) => log("info", String(message));
export const warn = (message) => log("warn", String(message));
export const error = (message) => log("error", String(message));
