import { isHopByHop } from "../../engines/workerd/forward/request-head.ts";
import { isReservedHeader } from "../../engines/workerd/headers.ts";
import { withoutParameters } from "./query.ts";

/** What of a request outsiders sent depends on where it came in. */
export interface RequestPlace {
  /** The app's own host name, whichever the request came to. */
  readonly host: string;
  /** Whether it came to that name; the API's own is shared with other apps, and so are its cookies. */
  readonly ownHost: boolean;
}

/** What is done with a request header: user code gets it, does not, or it depends. */
type Fate = "pass" | "drop" | "cookie" | "connection";

/** Anyone can write these; user code would take them for what a proxy vouches for. */
const OF_PROXIES = /^(?:forwarded|x[-_]forwarded[-_].*|x[-_]real[-_]ip|true[-_]client[-_]ip|cf[-_].*)$/;

const fates = new Map<string, Fate>();
/** Callers send the same few names over and over; made-up ones are not kept. */
const KNOWN_NAMES = 1_000;

function fateOf(name: string): Fate {
  const known = fates.get(name);
  if (known !== undefined) return known;
  const fate = judge(name.toLowerCase());
  if (fates.size < KNOWN_NAMES) fates.set(name, fate);
  return fate;
}

function judge(name: string): Fate {
  if (name === "cookie" || name === "connection") return name;
  const ours = name === "host" || name === "x-request-id" || isReservedHeader(name);
  return ours || OF_PROXIES.test(name) || isHopByHop(name) ? "drop" : "pass";
}

/** Platform keys; whatever carries one stays outside user code. */
const PLATFORM_KEY = /\bbb_(?:sk|sub)_/i;
export const holdsPlatformKey = (text: string): boolean => PLATFORM_KEY.test(text);

/**
 * The request headers user code gets of an outsider's, flat, with the app's `host`. What only Ambit may say, platform
 * keys and what belongs to the connection are left out. Pure.
 */
export function userRequestHeaders(raw: readonly string[], { host, ownHost }: RequestPlace): string[] {
  const headers: string[] = ["host", host];
  let nominated: string[] | null = null;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!;
    const value = raw[i + 1]!;
    const fate = fateOf(name);
    if (fate === "drop" || (fate === "cookie" && !ownHost)) continue;
    if (fate === "connection") nominated = nominatedBy(value, nominated);
    else if (!holdsPlatformKey(value)) headers.push(name, value);
  }
  if (nominated === null) return headers;
  const gone = new Set(nominated);
  return headers.filter((_, i) => !gone.has(headers[i - (i % 2)]!.toLowerCase()));
}

/** Headers that `Connection` says are this connection's own (RFC 9110 §7.6.1). */
function nominatedBy(value: string, before: string[] | null): string[] | null {
  const lower = value.toLowerCase();
  if (lower === "keep-alive" || lower === "close" || lower === "upgrade") return before;
  const names = lower
    .split(",")
    .map((name) => name.trim())
    // What every request needs can't be nominated away.
    .filter((name) => name !== "host" && name !== "content-length");
  return [...(before ?? []), ...names];
}

/** False when no decoding of the query can hold a platform key; quick. */
const MAY_HOLD_KEY = /bb_|%(?:42|53|4b|55|62|73|6b|75|5f)/i;

/** A key somebody put into a URL's query stays outside user code. Pure; nearly always nothing is done. */
export function withoutKeys(query: string | null): string | null {
  if (query === null || !MAY_HOLD_KEY.test(query)) return query;
  return withoutParameters(query, (name, value) => holdsPlatformKey(name) || holdsPlatformKey(value));
}
