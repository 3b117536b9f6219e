// Calls of the gateway.

/** Runs a call, and makes a message of the error that the contract describes. */
export function call(what, run) {
  try {
    return run();
  } catch (thrown) {
    const error = thrown?.payload ?? thrown;
    if (typeof error?.tag !== "string") throw thrown;
    const refused = new Error(`${what}: ${error.tag}${error.val === undefined ? "" : `: ${error.val}`}`);
    /** The word of the contract, for example `unknown-secret`. */
    refused.code = error.tag;
    throw refused;
  }
}
