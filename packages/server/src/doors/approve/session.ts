import type { ApprovalsService } from "../../features/approvals/service.ts";
import type { KeysService } from "../../features/keys/service.ts";
import type { Clock } from "../../kernel/clock.ts";
import { newToken } from "../../kernel/ids.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import type { Secrets } from "../../kernel/secrets.ts";
import { limits } from "./limits.ts";

/** A person who is signed in on the page. */
export interface Session {
  /** Random; what confirmations and form tokens are bound to. */
  readonly id: string;
  /** The key as it is this moment. */
  readonly key: KeyPrincipal;
  readonly expiresAtMs: number;
  /** What every form of this session carries. */
  readonly formToken: string;
}

export interface Sessions {
  /** Signs the person in; the `Set-Cookie` header that says so. */
  start(key: KeyPrincipal): string;
  /** The session a `Cookie` header names, while it and its key live; null otherwise. */
  read(cookies: string | undefined): Promise<Session | null>;
  /** Signs the person out, everywhere the cookie may be; the `Set-Cookie` header that removes it. */
  end(session: Session): Promise<string>;
}

export interface SessionDeps {
  readonly secrets: Secrets;
  readonly clock: Clock;
  readonly keys: Pick<KeysService, "byId">;
  readonly tokens: ApprovalsService["tokens"];
  publicUrl(): string;
}

interface Sealed {
  readonly id: string;
  readonly keyId: string;
  readonly expiresAtMs: number;
}

const PURPOSE = "approve-session";

/**
 * Sessions live in their cookie, sealed; the key behind one is looked up each time. With https the cookie has the
 * prefix `__Host-`, which keeps other names of the same site (apps') from setting one in its place.
 */
export function createSessions(deps: SessionDeps): Sessions {
  const { secrets, clock, keys, tokens } = deps;
  const cookie = (value: string, maxAgeS: number): string => {
    const secure = isSecure(deps.publicUrl());
    const place = secure ? "Path=/; Secure" : "Path=/approve";
    return `${cookieName(secure)}=${value}; ${place}; HttpOnly; SameSite=Strict; Max-Age=${maxAgeS}`;
  };
  const open = (value: string): Sealed | null => {
    try {
      return JSON.parse(secrets.open(PURPOSE, value));
    } catch {
      return null;
    }
  };
  return {
    start(key) {
      const sealed: Sealed = {
        id: newToken(),
        keyId: key.keyId,
        expiresAtMs: clock() + limits.sessionMs,
      };
      return cookie(secrets.seal(PURPOSE, JSON.stringify(sealed)), limits.sessionMs / 1000);
    },
    async read(cookies) {
      const value = cookieValue(cookies, cookieName(isSecure(deps.publicUrl())));
      const sealed = value === null ? null : open(value);
      if (sealed === null || sealed.expiresAtMs <= clock() || (await tokens.isSpent(sealed.id))) return null;
      const key = await keys.byId(sealed.keyId);
      if (key?.keyKind !== "person") return null;
      const { id, expiresAtMs } = sealed;
      return { id, key, expiresAtMs, formToken: secrets.derive("approve-form", id) };
    },
    async end({ id, expiresAtMs }) {
      await tokens.spend(id, expiresAtMs);
      return cookie("", 0);
    },
  };
}

const isSecure = (publicUrl: string): boolean => publicUrl.startsWith("https:");
const cookieName = (secure: boolean): string => (secure ? "__Host-ambit_approve" : "ambit_approve");

/** The one value a cookie has; null when it has none, or several, of which one is not ours. Pure. */
export function cookieValue(cookies: string | undefined, name: string): string | null {
  const values = (cookies ?? "")
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
  return values.length === 1 ? values[0]! : null;
}
