// The words in which a policy declares what it may do. The operator's grants are the same words.

/** For `may` of a phase: what its verdicts may do. The name of a field may end in `*`. */
export const may = Object.freeze({
  respond: "respond",
  serve: "serve",
  setPath: "edit:set-path",
  setQuery: "edit:set-query",
  setStatus: "edit:set-status",
  editHeader: (name) => `edit:header:${name.toLowerCase()}`,
  editResponseHeader: (name) => `edit:response-header:${name.toLowerCase()}`,
  effect: (name) => `effect:${name}`,
});

/** For `uses` of a policy: what it calls by name. */
export const uses = Object.freeze({
  secret: (name) => `secret:${name}`,
  dataset: (name) => `dataset:${name}`,
  outbound: (upstream) => `outbound:${upstream}`,
  upstream: (name) => `upstream:${name}`,
});
