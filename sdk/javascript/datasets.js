/**
 * Look-ups of keys in datasets of the operator. For the worlds `policy-with-datasets` and
 * `policy-with-secrets`. Each dataset must be declared: `uses.dataset("countries")`. If the key is
 * an input, `input.lookup` is cheaper.
 */

import * as datasets from "janua:policy/datasets@0.1.0";

import { call } from "./calls.js";

/** The value of a key, or undefined if the dataset does not contain it. */
export function find(dataset, key, member = "") {
  return call("find", () => datasets.find(dataset, key, member)) ?? undefined;
}
