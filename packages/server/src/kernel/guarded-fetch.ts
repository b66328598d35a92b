import { lookup as dnsLookup } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";
import { Agent, type Dispatcher, request } from "undici";
import { defineErrors } from "./errors.ts";

/** What a request made on someone's behalf may cost. */
export const fetchLimits = {
  /** From the first name lookup to the last byte, redirects included. */
  timeoutMs: 10_000,
  /** A response body. */
  bodyBytes: 1024 * 1024,
  /** Redirects followed. */
  redirects: 3,
} as const;

export const fetchErrors = defineErrors({
  EXTERNAL_NETWORK_ERROR: {
    status: 502,
    message: "The other server could not be reached, or did not answer as it should.",
    remediation: "Check the URL, and that the server behind it is up; then try again.",
  },
  EXTERNAL_ADDRESS_REFUSED: {
    status: 400,
    message: "The URL leads to an address this server must not call.",
    remediation:
      "Use a public http(s) URL. An operator can allow a private one by adding host:port to AMBIT_ALLOW_PRIVATE_FETCH.",
  },
});

export interface GuardedRequest {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
  /** How many redirects to follow, at most `fetchLimits.redirects`. */
  readonly redirects?: number;
  readonly signal?: AbortSignal;
}

export interface GuardedResponse {
  readonly status: number;
  /** Lower-case names; of a repeated header the values joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/**
 * Makes one HTTP request on someone's behalf. Throws EXTERNAL_ADDRESS_REFUSED when the URL, or a redirect, leads
 * anywhere but a public address, and EXTERNAL_NETWORK_ERROR when there is no answer within the bounds. Any status
 * the other server gives is an answer.
 */
export type GuardedFetch = (url: string, options?: GuardedRequest) => Promise<GuardedResponse>;

export interface Address {
  readonly address: string;
  readonly family: number;
}

export interface GuardedFetchOptions {
  /** `host:port` pairs, spelt as in the URL, that may be private. */
  readonly allowPrivate: readonly string[];
  /** All addresses of a name; the system's resolver by default. */
  readonly resolve?: (hostname: string) => Promise<readonly Address[]>;
}

/** Clouds answer for their metadata here, although the address counts as public. */
const METADATA_ADDRESSES: ReadonlySet<string> = new Set(["168.63.129.16"]);
const GLOBAL_UNICAST_V6 = ipaddr.IPv6.parseCIDR("2000::/3");
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Headers that speak to one origin only. */
const ORIGIN_HEADERS: ReadonlySet<string> = new Set(["authorization", "cookie", "proxy-authorization"]);

/** Whether the address is one of the public internet. Pure; anything unknown is not. */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false;
  // `process` turns an IPv4-mapped IPv6 address into the IPv4 address it stands for.
  const address = ipaddr.process(text);
  if (address.range() !== "unicast" || METADATA_ADDRESSES.has(address.toString())) return false;
  return address.kind() === "ipv4" || address.match(GLOBAL_UNICAST_V6);
}

/**
 * The one way the server calls URLs that somebody else chose. The name is resolved once, every address is checked,
 * and the connection goes to exactly the checked addresses, so that a second answer of the name server changes nothing.
 */
export function createGuardedFetch(options: GuardedFetchOptions): GuardedFetch {
  const resolve = options.resolve ?? ((hostname) => dnsLookup(hostname, { all: true }));
  const allowed = new Set(options.allowPrivate.map((entry) => entry.toLowerCase()));
  return async (url, asked = {}) => {
    const timeout = AbortSignal.timeout(asked.timeoutMs ?? fetchLimits.timeoutMs);
    const signal = asked.signal === undefined ? timeout : AbortSignal.any([asked.signal, timeout]);
    const most = Math.min(asked.redirects ?? fetchLimits.redirects, fetchLimits.redirects);
    let hop: Hop = { url: parseUrl(url), request: asked };
    for (let redirects = 0; ; redirects++) {
      const addresses = await within(signal, hop.url, checkedAddresses(hop.url, allowed, resolve));
      const response = await send(hop, addresses, signal);
      const location = REDIRECTS.has(response.status) ? response.headers.location : undefined;
      if (location === undefined) return response;
      if (redirects >= most) {
        throw fetchErrors.EXTERNAL_NETWORK_ERROR({
          message: `${hop.url.host} redirects more than ${most} times.`,
        });
      }
      hop = nextHop(hop, response.status, location);
    }
  };
}

/**
 * Says before any call whether a URL may be called, by the rules of `createGuardedFetch`: throws
 * EXTERNAL_ADDRESS_REFUSED, or EXTERNAL_NETWORK_ERROR when its name has no address now. The call itself checks again.
 */
export function createAddressCheck(options: GuardedFetchOptions): (url: string) => Promise<void> {
  const resolve = options.resolve ?? ((hostname) => dnsLookup(hostname, { all: true }));
  const allowed = new Set(options.allowPrivate.map((entry) => entry.toLowerCase()));
  return async (url) => {
    const parsed = parseUrl(url);
    const timeout = AbortSignal.timeout(fetchLimits.timeoutMs);
    await within(timeout, parsed, checkedAddresses(parsed, allowed, resolve));
  };
}

interface Hop {
  readonly url: URL;
  readonly request: GuardedRequest;
}

function parseUrl(text: string, base?: string): URL {
  const url = URL.canParse(text, base) ? new URL(text, base) : null;
  if (
    url === null ||
    (url.protocol !== "http:" && url.protocol !== "https:") ||
    url.username ||
    url.password
  ) {
    throw fetchErrors.EXTERNAL_ADDRESS_REFUSED({
      message: "Only http and https URLs without credentials are called.",
    });
  }
  return url;
}

/** The request after a redirect: RFC 9110 §15.4 for the method; credentials stay with their origin. */
function nextHop({ url, request: asked }: Hop, status: number, location: string): Hop {
  const target = parseUrl(location, url.href);
  if (url.protocol === "https:" && target.protocol === "http:") {
    throw fetchErrors.EXTERNAL_ADDRESS_REFUSED({ message: `${url.host} redirects from https to http.` });
  }
  const keepsBody = status === 307 || status === 308 || asked.method === undefined || asked.method === "GET";
  const headers = Object.entries(asked.headers ?? {}).filter(
    ([name]) =>
      (target.origin === url.origin || !ORIGIN_HEADERS.has(name.toLowerCase())) &&
      (keepsBody || !name.toLowerCase().startsWith("content-")),
  );
  const { body: _body, ...rest } = asked;
  const next: GuardedRequest = keepsBody ? asked : { ...rest, method: "GET" };
  return { url: target, request: { ...next, headers: Object.fromEntries(headers) } };
}

async function checkedAddresses(
  url: URL,
  allowed: ReadonlySet<string>,
  resolve: (hostname: string) => Promise<readonly Address[]>,
): Promise<readonly Address[]> {
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  const family = isIP(hostname);
  const addresses = family === 0 ? await resolve(hostname) : [{ address: hostname, family }];
  if (addresses.length === 0)
    throw fetchErrors.EXTERNAL_NETWORK_ERROR({ message: `${url.host} has no address.` });
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  // One private address among public ones is refused too: which of them is called is not ours to decide.
  if (
    !allowed.has(`${url.hostname}:${port}`) &&
    !addresses.every(({ address }) => isPublicAddress(address))
  ) {
    throw fetchErrors.EXTERNAL_ADDRESS_REFUSED({ message: `${url.host} is not a public address.` });
  }
  return addresses;
}

async function send(
  { url, request: asked }: Hop,
  addresses: readonly Address[],
  signal: AbortSignal,
): Promise<GuardedResponse> {
  const agent = new Agent({ connect: { lookup: pinned(addresses) }, pipelining: 0 });
  try {
    const response = await request(url, {
      dispatcher: agent,
      method: asked.method ?? "GET",
      headers: { "user-agent": "Ambit", "accept-encoding": "identity", ...asked.headers },
      body: asked.body ?? null,
      signal,
    });
    const body = await readBounded(response.body, asked.maxBytes ?? fetchLimits.bodyBytes, url);
    return { status: response.statusCode, headers: flatten(response.headers), body };
  } catch (error) {
    throw asNetworkError(error, url);
  } finally {
    await agent.destroy();
  }
}

/** A resolver that knows only the addresses that were checked. */
export function pinned(addresses: readonly Address[]): LookupFunction {
  return (_hostname, options, callback) => {
    const usable = addresses.filter(({ family }) => !options.family || options.family === family);
    const first = usable[0];
    if (first === undefined) callback(new Error("no address of the wanted family"), "", 0);
    else if (options.all) callback(null, [...usable]);
    else callback(null, first.address, first.family);
  };
}

async function readBounded(
  body: Dispatcher.ResponseData["body"],
  maxBytes: number,
  url: URL,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) {
      throw fetchErrors.EXTERNAL_NETWORK_ERROR({
        message: `${url.host} answered with more than ${maxBytes} bytes.`,
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function flatten(headers: Dispatcher.ResponseData["headers"]): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return flat;
}

/** Waits for `work`, but not beyond the signal: a name lookup can't be cancelled. */
async function within<T>(signal: AbortSignal, url: URL, work: Promise<T>): Promise<T> {
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } catch (error) {
    throw asNetworkError(error, url);
  } finally {
    signal.removeEventListener("abort", stop!);
  }
}

/** Says which host failed and no more: details of our network are not for callers. */
function asNetworkError(error: unknown, url: URL): unknown {
  if (error instanceof Error && error.name === "AmbitError") return error;
  const late = error instanceof Error && (error.name === "TimeoutError" || error.name === "AbortError");
  const message = late ? `${url.host} did not answer in time.` : `${url.host} could not be reached.`;
  return fetchErrors.EXTERNAL_NETWORK_ERROR({ message, cause: error });
}
