/** One parameter's value, as `?name=value` carries it; null when it is not there. Pure. */
export function queryValue(query: string | null, name: string): string | null {
  if (query === null) return null;
  return new URLSearchParams(query).get(name);
}

/**
 * The query without the parameters that `drop` picks. What stays, stays as it was written: user code may compare it
 * byte for byte. Pure.
 */
export function withoutParameters(
  query: string | null,
  drop: (name: string, value: string) => boolean,
): string | null {
  if (query === null) return null;
  const pairs = query.split("&");
  const kept = pairs.filter((pair) => {
    const [entry] = new URLSearchParams(pair);
    return entry === undefined || !drop(entry[0], entry[1]);
  });
  if (kept.length === pairs.length) return query;
  return kept.length === 0 ? null : kept.join("&");
}
