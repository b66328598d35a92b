/** What a member of an organisation may be. The order is the order of `ROLES`, weakest first, except policy_manager. */
export const ROLES = ["viewer", "developer", "policy_manager", "admin", "owner"] as const;
export type Role = (typeof ROLES)[number];

/** Whether a key speaks for a person or for a program. Person-only operations refuse `agent`. */
export type KeyKind = "person" | "agent";

/** A platform key (`bb_sk_…`): acts for a member of an organisation, within its own scopes. */
export interface KeyPrincipal {
  readonly kind: "key";
  readonly keyId: string;
  readonly keyKind: KeyKind;
  readonly accountId: string;
  readonly organizationId: string;
  /** The member's role in the key's organisation. */
  readonly role: Role;
  /** `*` (every app of the organisation), `app:<id>`, `read` (refuses every write). */
  readonly scopes: readonly string[];
  /** Milliseconds since the epoch, or null for no expiry. */
  readonly expiresAtMs: number | null;
  /** Set when no key but a grant of the gateway stands behind it; `keyId` is then the grant's id. */
  readonly grant?: { readonly label: string };
}

/** An end user of one app, from a verified access token. */
export interface UserPrincipal {
  readonly kind: "user";
  readonly appId: string;
  readonly userId: string;
  /** Every claim of the token, as policies see it in `request.jwt.claims`. */
  readonly claims: Readonly<Record<string, unknown>>;
  readonly expiresAtMs: number;
}

/** Nobody in particular; on a public app this is the role `butterbase_anon`. */
export interface AnonymousPrincipal {
  readonly kind: "anonymous";
}

/** Who is calling. Resolved once per request or connection. */
export type Principal = KeyPrincipal | UserPrincipal | AnonymousPrincipal;

export const ANONYMOUS: AnonymousPrincipal = Object.freeze({ kind: "anonymous" });

/** How a principal is written into logs and audit records. */
export function actorOf(principal: Principal): { type: string; id: string | null } {
  switch (principal.kind) {
    case "key":
      if (principal.grant !== undefined) return { type: "grant", id: principal.keyId };
      return { type: principal.keyKind === "person" ? "platform_user" : "api_key", id: principal.keyId };
    case "user":
      return { type: "app_user", id: principal.userId };
    case "anonymous":
      return { type: "anonymous", id: null };
  }
}
