import { RESERVED_PREFIXES } from "../../engines/workerd/headers.ts";

/** What is done with a request header: user code gets it, does not, or it depends on the value. */
type Fate = "pass" | "drop" | "cookie" | "connection";

/** Anyone can write these; user code would take them for what a proxy vouches for. `ctx.request.ip` is verified. */
const OF_PROXIES = /^(?:forwarded|x-forwarded-.*|x-real-ip|true-client-ip|cf-.*)$/;

const fates = new Map<string, Fate>();
/** Callers send the same few names over and over; made-up ones are not kept. */
const KNOWN_NAMES = 1_000;

function fateOf(name: string): Fate {
  const known = fates.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  const fate: Fate =
    lower === "x-request-id" ||
    lower === "host" ||
    OF_PROXIES.test(lower) ||
    RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix))
      ? "drop"
      : lower === "cookie"
        ? "cookie"
        : lower === "connection"
          ? "connection"
          : "pass";
  if (fates.size < KNOWN_NAMES) fates.set(name, fate);
  return fate;
}

/** A platform key, by itself or as a bearer token. User code is never handed one. */
const KEY = /^(?:bearer\s+)?bb_(?:sk|sub)_/i;

/**
 * The request headers user code gets, flat, with the app's `host`. Pure. What only Ambit may say, platform keys and what belongs to the
 * connection are left out; cookies too on the API's own host name, which the app shares with others.
 */
export function requestHeaders(raw: readonly string[], host: string, ownHost: boolean): string[] {
  const headers: string[] = ["host", host];
  let nominated: string[] | null = null;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!;
    const value = raw[i + 1]!;
    const fate = fateOf(name);
    if (fate === "drop" || (fate === "cookie" && !ownHost)) continue;
    if (fate === "connection") nominated = nominatedBy(value, nominated);
    else if ((value.charCodeAt(0) | 32) !== 98 || !KEY.test(value)) headers.push(name, value);
  }
  if (nominated === null) return headers;
  const gone = new Set(nominated);
  return headers.filter((_, i) => !gone.has(headers[i - (i % 2)]!.toLowerCase()));
}

function nominatedBy(value: string, before: string[] | null): string[] | null {
  const lower = value.toLowerCase();
  if (lower === "keep-alive" || lower === "close") return before;
  const names = lower
    .split(",")
    .map((name) => name.trim())
    // What every request needs can't be nominated away.
    .filter((name) => name !== "host" && name !== "content-length");
  return [...(before ?? []), ...names];
}
