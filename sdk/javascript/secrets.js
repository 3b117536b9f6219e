/**
 * Signatures, and values that are sealed for the client to keep, with secrets that the policy never
 * sees. For the world `policy-with-secrets`. Each secret must be declared: `uses.secret("session")`.
 *
 * An error has the word of the contract as its `code`, for example `unknown-secret`. It may be left
 * to fail the policy. Texts are signed and sealed as UTF-8.
 */

import * as seals from "janua:policy/seal@0.1.0";
import * as signatures from "janua:policy/signatures@0.1.0";

import { text, utf8 } from "./bytes.js";
import { call } from "./calls.js";
import { known } from "./options.js";

/**
 * Whether a signature is valid: "valid", "invalid", or "unknown-key" if the secret has no key with
 * this `keyId`. `algorithm` is named as in JOSE, for example "ES256".
 */
export function verify(options) {
  const { secret, algorithm, keyId, message, signature } = known("verify", options, [
    "secret",
    "algorithm",
    "keyId",
    "message",
    "signature",
  ]);
  return call("verify", () => signatures.verify(secret, algorithm, keyId, utf8(message), utf8(signature)));
}

/** Signs a message by HMAC. Returns the bytes of the signature. */
export function sign(options) {
  const { secret, algorithm, message } = known("sign", options, ["secret", "algorithm", "message"]);
  return call("sign", () => signatures.sign(secret, algorithm, utf8(message)));
}

/** Seals a text or bytes. The result fits into a cookie, a field or a query. */
export function seal(secret, purpose, plain) {
  return call("seal", () => seals.seal(secret, purpose, utf8(plain)));
}

/** Opens what `seal` returned: bytes, or undefined if it does not open. */
export function open(secret, purpose, sealed) {
  return call("open", () => seals.open(secret, purpose, sealed)) ?? undefined;
}

/** The same for a text. */
export function openText(secret, purpose, sealed) {
  const plain = open(secret, purpose, sealed);
  return plain && text(plain);
}
