/** Write a Janua policy in TypeScript. What each of these does is written in the JavaScript. */

/** An input of the contract: one of `input`. */
export interface Input {
  readonly tag: string;
}

/** An input or a reference of a phase, as part of a value: one of `at`. */
export interface Part {
  readonly tag: "literal" | "input" | "reference" | "named";
}

/** A text, an input or reference in `at`, or several of them in a row. */
export type Value = string | number | Part | readonly (string | number | Part)[];

/** A constant argument of a case that is younger than this SDK. */
export type Constant = string | number | boolean | readonly string[];
export type Argument = Constant | { value: Value } | { values: readonly Value[] } | { reply: Reply };

/** The contract's form of these: see `input.named` and `named`. */
export interface NamedConstant {
  readonly name: string;
}
export interface Named {
  readonly name: string;
}
export function namedConstant(name: string, options?: Readonly<Record<string, Constant>>): NamedConstant;
export function named(name: string, options?: Readonly<Record<string, Argument>>): Named;

/** A response that a policy makes. It has at most one body. */
export type Reply = {
  status: number;
  headers?: Readonly<Record<string, Value>>;
} & (
  | { text?: string; bytes?: never; json?: never }
  | { text?: never; bytes?: Uint8Array; json?: never }
  | { text?: never; bytes?: never; json?: unknown }
);

type Plain =
  | "method"
  | "scheme"
  | "httpVersion"
  | "clientIp"
  | "peerIp"
  | "requestId"
  | "site"
  | "route"
  | "originalHost"
  | "originalPath"
  | "originalQuery"
  | "host"
  | "path"
  | "rawPath"
  | "extension"
  | "query"
  | "tlsVersion"
  | "tlsCipher"
  | "tlsServerName"
  | "tlsClientSubject"
  | "tlsClientIssuer"
  | "tlsClientSerial"
  | "tlsClientFingerprint"
  | "tlsClientNotBefore"
  | "tlsClientNotAfter"
  | "tlsClientDnsNames"
  | "tlsClientUris"
  | "tlsClientEmails"
  | "tlsClientCertificate"
  | "now"
  | "status"
  | "answeredBy"
  | "requestBodySize"
  | "responseBodySize"
  | "durationMs"
  | "firstByteMs"
  | "attempts"
  | "upstream"
  | "failure";

type OfName =
  | "header"
  | "headerBase64"
  | "headerPresent"
  | "cookie"
  | "cookiePresent"
  | "queryParameter"
  | "queryParameterBase64"
  | "rawQueryParameter"
  | "queryParameterPresent"
  | "responseHeader"
  | "responseHeaderBase64"
  | "responseHeaderPresent"
  | "variable";

type OfSize =
  | "bodyText"
  | "bodyBase64"
  | "bodyPrefix"
  | "responseBodyText"
  | "responseBodyBase64"
  | "responseBodyPrefix";

/** The inputs of the contract. */
export const input: { readonly [name in Plain]: Input } & {
  readonly [name in OfName]: (name: string) => Input;
} & { readonly [name in OfSize]: (most: number) => Input } & {
  /** The network of the client's address, with prefixes of these lengths. */
  clientNetwork(ipv4: number, ipv6: number): Input;
  /** The value of a key, which is another input, in a dataset. */
  lookup(dataset: string, key: Input, member?: string): Input;
  /** An input that is younger than this SDK. */
  named(name: string, options?: Readonly<Record<string, Constant>>): Input;
};

/** Declares an input as sensitive. */
export function sensitive(input: Input): Input;

/** A word of `may`: a constant or a result of `may`, or written out. */
export type Permission = "respond" | "serve" | `edit:${string}` | `effect:${string}`;

/** For `may` of a phase: what its verdicts may do. */
export const may: {
  readonly respond: "respond";
  readonly serve: "serve";
  readonly setPath: "edit:set-path";
  readonly setQuery: "edit:set-query";
  readonly setStatus: "edit:set-status";
  editHeader(name: string): `edit:header:${string}`;
  editResponseHeader(name: string): `edit:response-header:${string}`;
  effect(name: EffectName): `effect:${string}`;
};

export type EffectName =
  | "take"
  | "charge"
  | "concurrency"
  | "verify"
  | "choose-upstream"
  | "split"
  | "cache-lookup"
  | "cache-rule"
  | "cache-tag"
  | "purge"
  | "ban";

/** A word of `uses`. */
export type Use = `${"secret" | "dataset" | "outbound" | "upstream"}:${string}`;

/** For `uses` of a policy: what it calls by name. */
export const uses: {
  secret(name: string): Use;
  dataset(name: string): Use;
  outbound(upstream: string): Use;
  upstream(name: string): Use;
};

type Absent = "share" | "refuse" | "skip";

interface Bucket {
  tokens: number;
  periodMs: number;
  burst?: number;
  key?: Value;
  absent?: Absent;
  bucket?: string;
  cost?: number | { amount: Value; otherwise?: number; most: number };
}

/** The decision of a policy. Each method returns it. */
export class Verdict {
  private constructor();

  setHeader(name: string, value: Value): this;
  appendHeader(name: string, value: Value): this;
  defaultHeader(name: string, value: Value): this;
  removeHeader(name: string): this;
  setPath(value: Value): this;
  setQuery(value: Value): this;
  setStatus(status: number): this;
  setVariable(name: string, value: Value): this;
  edit(tag: string, val: unknown): this;

  setResponseHeader(name: string, value: Value): this;
  appendResponseHeader(name: string, value: Value): this;
  defaultResponseHeader(name: string, value: Value): this;
  removeResponseHeader(name: string): this;
  setResponseStatus(status: number): this;
  responseEdit(tag: string, val: unknown): this;

  take(options: Bucket & { otherwise?: Reply }): this;
  charge(options: Bucket & { debt?: number }): this;
  concurrency(options: {
    most: number;
    key?: Value;
    absent?: Absent;
    name?: string;
    otherwise?: Reply;
  }): this;
  verify(options: {
    secret: string;
    algorithm: string;
    message: Value;
    signature: Value;
    encoding?: "hex" | "base64" | "base64url";
    prefix?: string;
    otherwise?: Reply;
  }): this;
  chooseUpstream(name: string): this;
  split(options: { weights: Readonly<Record<string, number>>; sticky?: Value }): this;
  cacheLookup(options?: {
    query?: "whole" | "sorted" | "ignored" | { only: readonly string[] } | { without: readonly string[] };
    varyOn?: readonly Value[];
    bypass?: string;
  }): this;
  cacheRule(options: {
    name: string;
    store?: "by-fields" | "by-fields-or-heuristic" | "never" | number;
    browser?: string;
    cdn?: string;
    staleWhileRevalidate?: number;
    staleIfError?: number;
    shared?: boolean;
  }): this;
  cacheTag(value: Value): this;
  purge(options?: { url?: Value; prefix?: Value; tag?: Value; soft?: boolean }): this;
  ban(options: {
    subject: Value;
    after?: number;
    withinSeconds?: number;
    forSeconds: number;
    reason: string;
  }): this;
  effect(tag: string, val: unknown): this;

  untilReload(): this;
  forSeconds(seconds: number): this;
  /** Until this moment, in Unix seconds. */
  until(seconds: number): this;
  reuse(tag: string, val?: unknown): this;
  annotate(name: string, value: Value): this;
  note(note: string): this;
}

export function proceed(): Verdict;
export function respond(answer: Reply): Verdict;
export function serve(path: Value): Verdict;
export function outcome(tag: string, val?: unknown): Verdict;

type Inputs = Readonly<Record<string, Input>>;

/** What a policy is told in a phase, and what its verdicts may do there. */
export interface Phase<I extends Inputs, R extends Inputs> {
  /** Passed to `decide` by name; together the key under which a verdict is reused. */
  inputs?: I;
  /** Only used in values. */
  references?: R;
  /** All that a verdict of this phase may do. */
  may?: readonly Permission[];
  decide: (
    values: { readonly [name in keyof I]: string | undefined },
    at: { readonly [name in keyof I | keyof R]: Part },
  ) => Verdict;
}

/** What `configure` returns: the phases, and what the policy declares beside them. */
export interface Subscription<
  RequestI extends Inputs = {},
  RequestR extends Inputs = {},
  FetchedI extends Inputs = {},
  FetchedR extends Inputs = {},
  MissingI extends Inputs = {},
  MissingR extends Inputs = {},
  ResponseI extends Inputs = {},
  ResponseR extends Inputs = {},
  FinishedI extends Inputs = {},
  FinishedR extends Inputs = {},
> {
  request?: Phase<RequestI, RequestR>;
  fetched?: Phase<FetchedI, FetchedR>;
  missing?: Phase<MissingI, MissingR>;
  response?: Phase<ResponseI, ResponseR>;
  finished?: Phase<FinishedI, FinishedR>;
  /** Request fields that only this policy may state. A name may end in `*`. */
  owns?: readonly string[];
  /** The variables that its verdicts may set. */
  variables?: readonly string[];
  /** The secrets, datasets and upstreams that it calls by name. */
  uses?: readonly Use[];
  /** Declarations that are younger than this SDK. */
  more?: Readonly<Record<string, Readonly<Record<string, Constant>>>>;
}

/** What a component exports as `policies`. */
export interface Policies {
  describe(): unknown;
}

/**
 * Defines the exports of a component. The type of the configuration is what `configure` says; its
 * values are not checked before it is called.
 */
export function define<
  Config,
  RequestI extends Inputs = {},
  RequestR extends Inputs = {},
  FetchedI extends Inputs = {},
  FetchedR extends Inputs = {},
  MissingI extends Inputs = {},
  MissingR extends Inputs = {},
  ResponseI extends Inputs = {},
  ResponseR extends Inputs = {},
  FinishedI extends Inputs = {},
  FinishedR extends Inputs = {},
>(definition: {
  name: string;
  version: string;
  summary?: string;
  configSchema?: string;
  configure(
    config: Config,
  ): Subscription<
    RequestI,
    RequestR,
    FetchedI,
    FetchedR,
    MissingI,
    MissingR,
    ResponseI,
    ResponseR,
    FinishedI,
    FinishedR
  >;
  more?: Readonly<Record<string, Readonly<Record<string, Constant>>>>;
}): Policies;
