// Mistakes. The line after each comment that begins with `wrong` must be refused, and no other one.

import { define, input, may, proceed, respond } from "../janua.js";

const about = { name: "wrong", version: "1.0.0" };

define({
  ...about,
  // wrong: a permission that does not exist
  configure: () => ({ request: { may: ["respnd"], decide: () => proceed() } }),
});

define({
  ...about,
  // wrong: an input without its name
  configure: () => ({ response: { references: { field: input.header }, decide: () => proceed() } }),
});

define({
  ...about,
  // wrong: no verdict
  configure: () => ({ request: { decide: () => undefined } }),
});

define({
  ...about,
  configure() {
    return {
      response: {
        inputs: { status: input.status },
        // wrong: an input that was not declared
        decide({ state }, at) {
          // wrong: a reference that was not declared
          return proceed().setHeader("x-status", at.state);
        },
      },
    };
  },
});

// wrong: an input that does not exist
export const misspelt = input.clientIP;
// wrong: two bodies
export const two = respond({ status: 200, text: "a", json: 1 });
// wrong: an option that does not exist
export const option = proceed().take({ tokens: 1, period: 1 });
// wrong: a word that does not exist
export const word = proceed().concurrency({ most: 1, absent: "deny" });
// wrong: an effect that does not exist
export const effect = may.effect("takes");
// wrong: a value that may be absent
export const absent = (name: string | undefined) => proceed().setHeader("x-name", name);
