// A policy that uses what there is: it must be accepted.

import { define, input, may, named, proceed, respond, sensitive, serve, uses } from "../janua.js";
import { find } from "../datasets.js";
import * as log from "../log.js";
import { openText, seal, verify } from "../secrets.js";

interface Config {
  tiers: Record<string, string>;
}

export const policies = define({
  name: "types",
  version: "1.0.0",
  configure({ tiers }: Config) {
    return {
      owns: ["x-auth-*"],
      variables: ["tier"],
      uses: [uses.secret("session"), "dataset:countries"],
      request: {
        inputs: {
          tenant: input.header("x-tenant"),
          session: sensitive(input.cookie("session")),
          country: input.lookup("countries", input.clientIp, "country.iso_code"),
          network: input.clientNetwork(24, 56),
        },
        references: { client: input.clientIp, size: input.header("x-tokens") },
        may: [may.respond, may.editHeader("x-tier"), may.effect("take"), "edit:set-path"],
        decide({ tenant, session }, at) {
          if (tenant === undefined) return respond({ status: 403, text: "No\n" }).note("missing");
          const plain: string | undefined = session && openText("session", "cookie", session);
          log.info(plain ?? find("countries", tenant) ?? "none");
          const signature = new Uint8Array();
          if (verify({ secret: "session", algorithm: "ES256", message: "a", signature }) !== "valid") {
            return respond({ status: 401, json: { error: "invalid" } }).until(1_800_000_000);
          }
          return proceed()
            .setHeader("x-tier", [tiers[tenant] ?? "none", " for ", at.client])
            .setVariable("tier", at.tenant)
            .appendResponseHeader("set-cookie", ["session=", seal("session", "cookie", tenant)])
            .take({ tokens: 1, periodMs: 1000, key: at.client, cost: { amount: at.size, most: 10 } })
            .split({ weights: { stable: 95, canary: 5 }, sticky: at.client })
            .cacheLookup({ query: { without: ["utm_*"] }, varyOn: [at.country] })
            .edit("named", named("later", { value: { value: at.client }, flag: true }))
            .annotate("tier", at.tenant)
            .untilReload();
        },
      },
      missing: { may: ["serve"], decide: () => serve("/index.html") },
      finished: {
        references: { bytes: input.responseBodySize },
        decide: (_, at) =>
          proceed().charge({ tokens: 1, periodMs: 1000, cost: { amount: at.bytes, most: 9 }, debt: 9 }),
      },
    };
  },
});
