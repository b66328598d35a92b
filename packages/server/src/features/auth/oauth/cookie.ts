/** The cookie that ties an OAuth round trip to the browser that began it. */
export interface BindingCookie {
  readonly name: string;
  /** The whole Set-Cookie value. */
  header(value: string): string;
}

/**
 * A provider that posts its answer comes from another site, which only a SameSite=None cookie survives; the others
 * use Lax under a name of their own. With https the `__Host-` prefix keeps other names under the same domain from
 * planting one (RFC 6265bis §4.1.3).
 */
export function bindingCookie(secure: boolean, formPost: boolean, maxAgeS: number): BindingCookie {
  const name = `${secure ? "__Host-" : ""}ambit_oauth${formPost ? "_post" : ""}`;
  const flags = `Path=/; HttpOnly; Max-Age=${maxAgeS}; SameSite=${formPost ? "None" : "Lax"}${secure || formPost ? "; Secure" : ""}`;
  return { name, header: (value) => `${name}=${value}; ${flags}` };
}

/** The value of a cookie in a Cookie header, if it is one of ours; null otherwise. Pure. */
export function readCookie(header: string | undefined, name: string): string | null {
  for (const pair of (header ?? "").split(";")) {
    const [key, value] = pair.trim().split("=", 2);
    if (key === name && value !== undefined && /^[A-Za-z0-9_-]{43}$/.test(value)) return value;
  }
  return null;
}
