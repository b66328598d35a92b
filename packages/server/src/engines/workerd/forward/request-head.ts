import type { Exchange } from "../types.ts";

/** How the length of a request's body is told. */
export type Framing = "none" | "chunked" | { readonly length: number };

/** A request that can't be written as HTTP/1.1: a door let something pass that it must not. */
export class BadRequestHead extends Error {
  override name = "BadRequestHead";
}

/** Names that say how this hop works; each hop says its own. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
]);

export const isHopByHop = (lowerCaseName: string): boolean => HOP_BY_HOP.has(lowerCaseName);

/** Latin-1 without controls: each character is one byte on the wire, and none of them ends the line. */
const UNSAFE_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
/** A URL is made of it: with a slash in it, it would bring a path of its own. */
const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;
const UNSAFE_PATH = /[^\x21-\x7e\x80-\xff]/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Names seen before, in lower case; callers send the same few over and over. */
const knownNames = new Map<string, string | null>();
const KNOWN_NAMES = 1_000;

/** The name in lower case; null for one that is no token, or that belongs to the hop. */
function forwardable(name: string): string | null {
  const known = knownNames.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  const result = TOKEN.test(name) && !HOP_BY_HOP.has(lower) ? lower : null;
  if (knownNames.size < KNOWN_NAMES) knownNames.set(name, result);
  return result;
}

/** Bodies are rare with these; a length of 0 would only be noise. */
const mayOmitLength = (method: string) => method === "GET" || method === "HEAD" || method === "OPTIONS";

/** How the body of this exchange is framed, and the same for what the headers say about its length. */
export function framingOf(exchange: Pick<Exchange, "method" | "headers" | "body">): Framing {
  const { body, headers } = exchange;
  if (body === null) return mayOmitLength(exchange.method) ? "none" : { length: 0 };
  if (Buffer.isBuffer(body)) return { length: body.length };
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at]!;
    if (name.length === 14 && name.toLowerCase() === "content-length") {
      const text = headers[at + 1]!;
      if (!/^\d{1,15}$/.test(text)) throw new BadRequestHead("content-length is not a number");
      return { length: Number(text) };
    }
  }
  return "chunked";
}

/** Status line and headers, up to the empty line, to be written as Latin-1. */
export function requestHead(
  exchange: Pick<Exchange, "method" | "path" | "headers">,
  framing: Framing,
  upgrade: string | null = null,
): string {
  const { method, path, headers } = exchange;
  if (!TOKEN.test(method)) throw new BadRequestHead("bad method");
  if (path[0] !== "/" || UNSAFE_PATH.test(path)) throw new BadRequestHead("bad path");
  let head = `${method} ${path} HTTP/1.1\r\n`;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at]!;
    const lower = forwardable(name);
    if (lower === null || lower === "content-length") continue;
    const value = headers[at + 1]!;
    if (lower === "host" && !HOST.test(value)) throw new BadRequestHead("bad host");
    if (UNSAFE_VALUE.test(value)) throw new BadRequestHead(`bad value of ${lower}`);
    head += `${name}: ${value}\r\n`;
  }
  if (upgrade !== null) head += `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`;
  if (framing === "chunked") head += "Transfer-Encoding: chunked\r\n";
  else if (framing !== "none") head += `Content-Length: ${framing.length}\r\n`;
  return `${head}\r\n`;
}
