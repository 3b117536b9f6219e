/** The bytes of a text in UTF-8. Bytes are returned as they are. */
export function utf8(text: string | Uint8Array): Uint8Array;
/** The text of bytes in UTF-8, or undefined if they are none. */
export function text(bytes: Uint8Array): string | undefined;
/** The bytes of base64 or base64url, padded or not, or undefined if it is neither. */
export function fromBase64(encoded: string): Uint8Array | undefined;
/** Bytes in base64url without padding. */
export function base64url(bytes: Uint8Array): string;
