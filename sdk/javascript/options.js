// Checks of the objects with options. A misspelt key would silently do nothing, so each unknown one
// is refused, with the most similar key that exists. A key whose value is `undefined` counts as not
// given.

/**
 * Checks that the options are an object and that its keys are in `names`. Returns them
 * without the keys whose value is `undefined`.
 */
export function known(what, options, names) {
  if (options === null || typeof options !== "object" || Array.isArray(options)) {
    throw new Error(`${what}: expected an object with ${names.join(", ")}`);
  }
  options = given(options);
  for (const key of Object.keys(options)) {
    if (!names.includes(key)) throw new Error(`${what}: unknown key \`${key}\`; ${instead(key, names)}`);
  }
  return options;
}

/** An object without the keys whose value is `undefined`. */
export function given(object) {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

/** Checks that the word is one of `words`, and returns it. */
export function oneOf(what, word, words) {
  if (!words.includes(word)) throw new Error(`${what}: unknown word \`${word}\`; ${instead(word, words)}`);
  return word;
}

/** Checks that the value is a list of texts, and returns it. */
export function texts(what, list) {
  if (!Array.isArray(list) || list.some((text) => typeof text !== "string")) {
    throw new Error(`${what}: expected a list of texts`);
  }
  return list;
}

/** Suggests the most similar of `names`, or lists all if none is similar. */
function instead(given, names) {
  const distances = names.map((name) => [distance(String(given).toLowerCase(), name.toLowerCase()), name]);
  const [best, nearest] = distances.reduce((a, b) => (b[0] < a[0] ? b : a));
  if (best <= Math.max(2, nearest.length / 3)) return `did you mean \`${nearest}\`?`;
  return `there are ${names.join(", ")}`;
}

/** The Levenshtein distance of two names. */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}
