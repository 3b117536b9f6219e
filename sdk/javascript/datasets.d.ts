/** The value of a key, or undefined if the dataset does not contain it. */
export function find(dataset: string, key: string, member?: string): string | undefined;
