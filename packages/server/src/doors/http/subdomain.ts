/** Paths an app answers on its own host name, and where they live on the API's. */
const FAMILIES: readonly [prefix: RegExp, target: (subdomain: string) => string][] = [
  [
    /^\/(data|schema|migrations|realtime|fn|webhook|rls|config)(?=\/|\?|$)/,
    (subdomain) => `/v1/~${subdomain}/$1`,
  ],
  [/^\/auth(?=\/)/, (subdomain) => `/auth/~${subdomain}`],
  [/^\/_do(?=\/)/, (subdomain) => `/v1/~${subdomain}/do`],
];

/** The label in front of the base domain, or null when the host is the API's own. */
export function subdomainOf(host: string | undefined, baseDomain: string): string | null {
  if (host === undefined) return null;
  const name = host.replace(/:\d+$/, "").toLowerCase();
  if (!name.endsWith(`.${baseDomain}`)) return null;
  const label = name.slice(0, -baseDomain.length - 1);
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label) ? label : null;
}

/**
 * The URL as the router knows it: on `<subdomain>.<base domain>` the app's path families become the canonical routes
 * with `~<subdomain>` in the place of the app id; anything else is left as it is.
 */
export function rewriteUrl(url: string, host: string | undefined, baseDomain: string): string {
  const subdomain = subdomainOf(host, baseDomain);
  if (subdomain === null) return url;
  for (const [prefix, target] of FAMILIES)
    if (prefix.test(url)) return url.replace(prefix, target(subdomain));
  return url;
}
