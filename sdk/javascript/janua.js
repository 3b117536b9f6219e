/**
 * Write a Janua policy in JavaScript.
 *
 * The contract requires all lists and tags, and an Error for each failure: another
 * thrown value would end the instance. This module adds them, passes inputs by name, and
 * converts thrown values.
 *
 * All objects with options are checked for unknown keys, because a misspelt phase or
 * option would silently do nothing. A key whose value is `undefined` counts as not given.
 */

import { known, texts } from "./options.js";
import { namedConstant } from "./values.js";
import { Verdict } from "./verdict.js";

export { input, sensitive } from "./inputs.js";
export { may, uses } from "./permissions.js";
export { named, namedConstant } from "./values.js";
export { outcome, proceed, respond, serve, Verdict } from "./verdict.js";

/** The phases that a policy can subscribe to. */
const PHASES = ["request", "fetched", "missing", "response", "finished"];

/** What a policy declares beside its phases. */
const DECLARATIONS = ["owns", "variables", "uses", "more"];

/**
 * Defines the exports of a component: `export const policies = define({ … })`.
 *
 * `configure(config)` returns an object with the phases that the policy subscribes to:
 * `request`, `fetched`, `missing`, `response`, `finished`. Each is
 * `{ inputs: { name: input.… }, references: { name: input.… }, may: [ … ], decide }`, and
 * `decide(values, at)` returns a verdict. `values` has the inputs by name; an absent one
 * is `undefined`. `at` has all inputs and references by name, for use in values. `may` lists all
 * that the verdicts of the phase may do.
 *
 * Beside the phases it may have `owns`, the request fields that only this policy may state;
 * `variables`, the names of those that it sets; and `uses`, what it calls by name.
 */
export function define(definition) {
  const {
    name,
    version,
    summary = "",
    configSchema,
    configure,
    more = {},
  } = known("define", definition, ["name", "version", "summary", "configSchema", "configure", "more"]);
  if (typeof configure !== "function") throw new Error("define: `configure` is not a function");
  class Policy {
    constructor({ phases, subscription }) {
      this.phases = phases;
      this.declared = subscription;
    }
    static configure(config) {
      return safely(() => {
        const document = JSON.parse(config.trim() || "{}") ?? {};
        return new Policy(declare(configure(document)));
      });
    }
    subscription() {
      return this.declared;
    }
    decide(phase, inputs) {
      return safely(() => {
        const { name, names, at, decide } = this.phases[phase];
        const values = {};
        names.forEach((name, index) => {
          values[name] = inputs[index] ?? undefined;
        });
        const verdict = decide(values, at);
        if (!(verdict instanceof Verdict)) {
          throw new Error(`\`decide\` of the phase ${name} returned no verdict`);
        }
        return verdict.contract;
      });
    }
  }
  return {
    describe: () => ({ name, version, summary, configSchema, more: younger(more) }),
    Policy,
  };
}

/** Converts what `configure` returned to the contract. */
function declare(configured) {
  const { owns = [], variables = [], uses = [], more = {}, ...rest } = known("configure", configured, [
    ...PHASES,
    ...DECLARATIONS,
  ]);
  const phases = Object.entries(rest).map(([name, phase]) => prepare(name, phase));
  if (phases.length === 0) {
    throw new Error(`the policy subscribes to no phase: return one of ${PHASES.join(", ")}`);
  }
  return {
    phases,
    subscription: {
      phases: phases.map(({ declared }) => declared),
      owns: texts("`owns`", owns),
      variables: texts("`variables`", variables),
      uses: texts("`uses`", uses),
      more: younger(more),
    },
  };
}

/** Converts a phase to the contract, and adds what values in it can refer to. */
function prepare(phase, options) {
  const {
    inputs = {},
    references = {},
    may = [],
    decide,
  } = known(`the phase ${phase}`, options, ["inputs", "references", "may", "decide"]);
  if (typeof decide !== "function") throw new Error(`the phase ${phase}: \`decide\` is not a function`);
  for (const [name, asked] of [...Object.entries(inputs), ...Object.entries(references)]) {
    if (typeof asked?.tag !== "string") {
      throw new Error(`the phase ${phase}: \`${name}\` is not an input; write one of \`input\``);
    }
  }
  const names = Object.keys(inputs);
  const at = {};
  Object.keys(references).forEach((name, val) => {
    at[name] = { tag: "reference", val };
  });
  names.forEach((name, val) => {
    at[name] = { tag: "input", val };
  });
  const secret = names.flatMap((name, index) => (inputs[name].sensitive ? [index] : []));
  const pointed = Object.values(references).map(plain);
  const position = (key) => {
    const same = pointed.findIndex((other) => JSON.stringify(other) === JSON.stringify(plain(key)));
    return same < 0 ? pointed.push(plain(key)) - 1 : same;
  };
  // The key of a look-up is a reference, whose position the contract wants: added if need be.
  const placed = ({ tag, val }) =>
    tag === "lookup" ? { tag, val: { ...val, key: position(val.key) } } : plain({ tag, val });
  const declaredInputs = Object.values(inputs).map(placed);
  Object.values(references).forEach((reference, index) => {
    pointed[index] = placed(reference);
  });
  return {
    name: phase,
    names,
    at,
    decide,
    declared: {
      name: phase,
      inputs: declaredInputs,
      references: pointed,
      sensitive: Uint32Array.from(secret),
      may: texts(`the phase ${phase}: \`may\``, may),
    },
  };
}

/** An input without what only the SDK knows. */
const plain = ({ tag, val }) => (val === undefined ? { tag } : { tag, val });

/** Declarations that are younger than this SDK: `{ name: { argument: "…" } }`. */
const younger = (more) => Object.entries(more).map(([name, options]) => namedConstant(name, options));

/** Converts a thrown value to an Error: the contract accepts only that, and others trap. */
function safely(run) {
  try {
    return run();
  } catch (thrown) {
    throw new Error(thrown instanceof Error ? thrown.message : String(thrown));
  }
}
