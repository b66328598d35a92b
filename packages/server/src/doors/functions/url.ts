import { withoutKeys } from "../http/user-request.ts";

/** What a lane's URL names. */
export interface FunctionUrl {
  /** An app id or `~subdomain`. */
  readonly reference: string;
  readonly name: string;
  /** What follows the name: `/rest?query`, or nothing. */
  readonly rest: string;
}

/** Whether the canonical URL is `/v1/<app>/<segment>/…`. Pure; asked for every request of the server. */
export function isUnder(url: string, segment: string): boolean {
  if (!url.startsWith("/v1/")) return false;
  const at = url.indexOf("/", 4);
  return at > 4 && url.startsWith(segment, at + 1) && url.charCodeAt(at + 1 + segment.length) === SLASH;
}
const SLASH = 47;

const REFERENCE = /^(?:app_|~)[a-z0-9_-]{1,80}$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;

/** Reads a canonical URL of which `isUnder` holds; null when it can name nothing. Pure. */
export function readUrl(url: string, segment: string): FunctionUrl | null {
  const slash = url.indexOf("/", 4);
  const reference = url.slice(4, slash);
  const from = slash + segment.length + 2;
  let to = from;
  while (to < url.length && url.charCodeAt(to) !== SLASH && url.charCodeAt(to) !== 63) to += 1;
  const name = url.slice(from, to);
  if (!REFERENCE.test(reference) || !NAME.test(name)) return null;
  return { reference, name, rest: url.slice(to) };
}

/** What user code sees of the rest: platform keys in the query are taken out. Pure. */
export function restWithoutKeys(rest: string): string {
  const mark = rest.indexOf("?");
  if (mark === -1) return rest;
  const query = withoutKeys(rest.slice(mark + 1));
  return query === null ? rest.slice(0, mark) : `${rest.slice(0, mark)}?${query}`;
}
