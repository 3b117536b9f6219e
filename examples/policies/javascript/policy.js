// The example policy `tenant`: accepts known tenants and tells the upstream their tier.
// It also exists in Rust, Python, C and Go.

import { define, input, may, proceed, respond } from "../../../sdk/javascript/janua.js";

const refused = (note) =>
  respond({ status: 403, text: "Unknown tenant\n" }).note(note).untilReload();

/** Refuses the same configurations as the other languages, with the same messages. */
function check(config) {
  for (const name of Object.keys(config)) {
    if (name !== "tiers") throw new Error(`unknown field \`${name}\`; there are tiers`);
  }
  const { tiers } = config;
  if (tiers === undefined) throw new Error("missing field `tiers`");
  if (tiers === null || typeof tiers !== "object" || Array.isArray(tiers)) {
    throw new Error("`tiers`: expected a table");
  }
  for (const [tenant, tier] of Object.entries(tiers)) {
    if (typeof tier !== "string") throw new Error(`\`tiers.${tenant}\`: expected a string`);
  }
  if (Object.keys(tiers).length === 0) throw new Error("`tiers`: name at least one tenant");
  return new Map(Object.entries(tiers));
}

export const policies = define({
  name: "tenant",
  version: "0.1.0",
  summary: "Accepts known tenants and tells the upstream their tier",
  configure(config) {
    const tiers = check(config);
    return {
      request: {
        inputs: { tenant: input.header("x-tenant") },
        may: [may.respond, may.editHeader("x-tenant-tier")],
        decide({ tenant }) {
          if (tenant === undefined) return refused("tenant:missing");
          const tier = tiers.get(tenant);
          if (tier === undefined) return refused("tenant:unknown");
          return proceed().setHeader("x-tenant-tier", tier).untilReload();
        },
      },
    };
  },
});
