import { isIP } from "node:net";
import { isPublicAddress } from "../../../kernel/guarded-fetch.ts";
import type { EgressRules } from "../types.ts";
import { limits } from "./limits.ts";

/** Where a request wants to go, in one spelling. */
export interface Destination {
  /** Lower case, without brackets and without a trailing dot; an address in its usual form. */
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  /** Path and query. */
  readonly path: string;
}

/** Reads the absolute form of a request line; null for anything that is not a plain http(s) URL. Pure. */
export function readAbsolute(target: string): Destination | null {
  if (!/^https?:\/\//i.test(target) || !URL.canParse(target)) return null;
  const url = new URL(target);
  if (url.username !== "" || url.password !== "") return null;
  const secure = url.protocol === "https:";
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  return { host: plainHost(url.hostname), port, secure, path: url.pathname + url.search };
}

/** Reads the `host:port` of CONNECT; null for anything else. Pure. */
export function readAuthority(target: string): Destination | null {
  if (!/^(\[[0-9a-f:.]+\]|[^\s:/?#@\\[\]]+):\d{1,5}$/i.test(target)) return null;
  const split = target.lastIndexOf(":");
  // An `http:` URL knows every spelling of an address that the system's resolver might know.
  const url = `http://${target.slice(0, split)}/`;
  const port = Number(target.slice(split + 1));
  if (!URL.canParse(url) || port > 65_535) return null;
  return { host: plainHost(new URL(url).hostname), port, secure: false, path: "" };
}

function plainHost(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "");
}

/** `host:port` as operators write it in AMBIT_ALLOW_PRIVATE_FETCH. */
export function hostPort({ host, port }: Pick<Destination, "host" | "port">): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Why user code may not go there as far as the name tells, or null when it may: the addresses behind a name are checked when
 * it is resolved. Pure.
 */
export function refusalOf(
  destination: Destination,
  rules: EgressRules,
  allowPrivate: ReadonlySet<string>,
): string | null {
  const { host, port } = destination;
  if (port === 0 || limits.refusedPorts.includes(port)) return `Port ${port} is not open to apps.`;
  if (host === "") return "The URL names no host.";
  if (rules.allow !== null && !rules.allow.some((pattern) => matchesHost(pattern, host))) {
    return `${host} is not on the app's list of allowed hosts.`;
  }
  if (allowPrivate.has(hostPort(destination))) return null;
  if (host === "localhost" || host.endsWith(".localhost")) return notPublic(host);
  return isIP(host) !== 0 && !isPublicAddress(host) ? notPublic(host) : null;
}

export function notPublic(host: string): string {
  return `${host} is not a public address.`;
}

/** `api.example.com` matches itself; `*.example.com` every name below `example.com`, not that itself. Pure. */
export function matchesHost(pattern: string, host: string): boolean {
  const wanted = pattern.toLowerCase().replace(/\.$/, "");
  if (!wanted.startsWith("*.")) return wanted === host;
  return isIP(host) === 0 && host.length > wanted.length - 1 && host.endsWith(wanted.slice(1));
}
