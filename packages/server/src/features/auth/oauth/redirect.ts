import type { App } from "../../../kernel/operation.ts";

const isLocal = (hostname: string): boolean =>
  hostname === "localhost" ||
  hostname.endsWith(".localhost") ||
  hostname === "127.0.0.1" ||
  hostname === "[::1]";

/**
 * Whether tokens may be sent to `redirectTo`: an origin the app lists, the app's own name under the base domain, or
 * exactly a URI its provider is configured with. Pages of this machine count while the app lists no origins, and on a
 * server whose base domain is this machine. Other names under the base domain belong to other apps, and `*` in the
 * list speaks of reading answers, not of receiving tokens. Pure.
 */
export function redirectAllowed(
  redirectTo: string,
  app: Pick<App, "allowedOrigins" | "subdomain">,
  redirectUris: readonly string[],
  baseDomain: string,
): boolean {
  if (redirectUris.includes(redirectTo)) return true;
  if (!URL.canParse(redirectTo)) return false;
  const url = new URL(redirectTo);
  if ((url.protocol !== "http:" && url.protocol !== "https:") || url.username || url.password) return false;
  if (app.allowedOrigins.includes(url.origin)) return true;
  if (url.hostname === `${app.subdomain}.${baseDomain}`) return true;
  const localMode = app.allowedOrigins.length === 0 || isLocal(baseDomain);
  return localMode && isLocal(url.hostname) && !isOtherApp(url.hostname, baseDomain);
}

const isOtherApp = (hostname: string, baseDomain: string): boolean => hostname.endsWith(`.${baseDomain}`);

/** Where to go when the caller names no place: the first origin the app lists. */
export const defaultRedirect = (app: Pick<App, "allowedOrigins">): string | null =>
  app.allowedOrigins.find((origin) => origin !== "*") ?? null;

/**
 * Where the provider sends the browser back: a configured URI that ends at this route (a proxy's public name, say), or
 * the route under the server's own URL. On one machine the name the browser used is kept, because the cookie that
 * binds the round trip belongs to that name. Pure.
 */
export function callbackUrl(
  place: { appId: string; provider: string },
  redirectUris: readonly string[],
  publicUrl: string,
  host: string | undefined,
): string {
  const path = `/auth/${place.appId}/oauth/${place.provider}/callback`;
  const configured = redirectUris.find((uri) => URL.canParse(uri) && new URL(uri).pathname.endsWith(path));
  if (configured !== undefined) return configured;
  const base = new URL(publicUrl);
  const asked = host !== undefined && URL.canParse(`http://${host}`) ? new URL(`http://${host}`) : null;
  const keepsName =
    asked !== null && isLocal(asked.hostname) && isLocal(base.hostname) && asked.port === base.port;
  return keepsName ? `${base.protocol}//${asked.host}${path}` : `${publicUrl}${path}`;
}
