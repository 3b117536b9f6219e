// Texts and bytes. QuickJS has no TextEncoder; it has `atob` and `btoa`, for base64 alone.

/** The bytes of a text in UTF-8. Bytes are returned as they are. */
export function utf8(text) {
  if (typeof text !== "string") return text;
  const escaped = encodeURIComponent(text.toWellFormed ? text.toWellFormed() : text);
  const binary = escaped.replace(/%(..)/g, (_, code) => String.fromCharCode(parseInt(code, 16)));
  return Uint8Array.from(binary, (byte) => byte.charCodeAt(0));
}

/** The text of bytes in UTF-8, or undefined if they are none. */
export function text(bytes) {
  const escaped = Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
  try {
    return decodeURIComponent(escaped);
  } catch {
    return undefined;
  }
}

/** The bytes of base64 or base64url, padded or not, or undefined if it is neither. */
export function fromBase64(encoded) {
  const standard = encoded.replace(/=+$/, "").replace(/-/g, "+").replace(/_/g, "/");
  if (/[^A-Za-z0-9+/]/.test(standard) || standard.length % 4 === 1) return undefined;
  const binary = atob(standard.padEnd(Math.ceil(standard.length / 4) * 4, "="));
  return Uint8Array.from(binary, (byte) => byte.charCodeAt(0));
}

/** Bytes in base64url without padding. */
export function base64url(bytes) {
  const encoded = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return encoded.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
