/** Named as in JOSE; `HS1` is HMAC with SHA-1, for old webhooks. */
export type Algorithm =
  | `${"HS" | "RS" | "PS" | "ES"}${"256" | "384" | "512"}`
  | "EdDSA"
  | "HS1";

/** Whether a signature is valid. */
export function verify(options: {
  secret: string;
  algorithm: Algorithm;
  keyId?: string;
  message: string | Uint8Array;
  signature: Uint8Array;
}): "valid" | "invalid" | "unknown-key";

/** Signs a message by HMAC. */
export function sign(options: {
  secret: string;
  algorithm: `HS${string}`;
  message: string | Uint8Array;
}): Uint8Array;

/** Seals a text or bytes. */
export function seal(secret: string, purpose: string, plain: string | Uint8Array): string;
/** Opens what `seal` returned, or undefined if it does not open. */
export function open(secret: string, purpose: string, sealed: string): Uint8Array | undefined;
/** The same for a text. */
export function openText(secret: string, purpose: string, sealed: string): string | undefined;
