// The inputs of the contract.

import { namedConstant } from "./values.js";

/** Inputs without an argument: `input.clientIp`. */
const PLAIN = [
  "method",
  "scheme",
  "http-version",
  "client-ip",
  "peer-ip",
  "request-id",
  "site",
  "route",
  "original-host",
  "original-path",
  "original-query",
  "host",
  "path",
  "raw-path",
  "extension",
  "query",
  "tls-version",
  "tls-cipher",
  "tls-server-name",
  "tls-client-subject",
  "tls-client-issuer",
  "tls-client-serial",
  "tls-client-fingerprint",
  "tls-client-not-before",
  "tls-client-not-after",
  "tls-client-dns-names",
  "tls-client-uris",
  "tls-client-emails",
  "tls-client-certificate",
  "now",
  "status",
  "answered-by",
  "request-body-size",
  "response-body-size",
  "duration-ms",
  "first-byte-ms",
  "attempts",
  "upstream",
  "failure",
];

/** Inputs of a field, whose name is case-insensitive: `input.header("X-Tenant")`. */
const FIELDS = [
  "header",
  "header-base64",
  "header-present",
  "response-header",
  "response-header-base64",
  "response-header-present",
];

/** Inputs with another name, or with the largest number of bytes: `input.cookie("session")`. */
const OTHERS = [
  "cookie",
  "cookie-present",
  "query-parameter",
  "query-parameter-base64",
  "raw-query-parameter",
  "query-parameter-present",
  "variable",
  "body-text",
  "body-base64",
  "body-prefix",
  "response-body-text",
  "response-body-base64",
  "response-body-prefix",
];

/** `client-ip` as `clientIp`. */
const camel = (tag) => tag.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
const each = (tags, make) => Object.fromEntries(tags.map((tag) => [camel(tag), make(tag)]));

/** The inputs of the contract. */
export const input = Object.freeze({
  ...each(PLAIN, (tag) => Object.freeze({ tag })),
  ...each(FIELDS, (tag) => (name) => ({ tag, val: name.toLowerCase() })),
  ...each(OTHERS, (tag) => (val) => ({ tag, val })),
  /** The network of the client's address, with prefixes of these lengths. */
  clientNetwork: (ipv4, ipv6) => ({ tag: "client-network", val: { ipv4, ipv6 } }),
  /** The value of a key, which is another input, in a dataset. */
  lookup: (dataset, key, member = "") => ({ tag: "lookup", val: { dataset, key, member } }),
  /** An input that is younger than this SDK. */
  named: (name, options) => ({ tag: "named", val: namedConstant(name, options) }),
});

/** Declares an input as sensitive: `sensitive(input.header("x-api-key"))`. */
export const sensitive = (input) => ({ ...input, sensitive: true });
