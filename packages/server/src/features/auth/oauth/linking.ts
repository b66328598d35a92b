import type { Profile } from "./profile.ts";

/** What is known locally about somebody who comes back from a provider. */
export interface LocalKnowledge<U> {
  /** The user this identity belongs to. */
  readonly byIdentity: U | null;
  /** The user with the address the provider gave. */
  readonly byEmail: U | null;
}

export type AccountDecision<U> =
  | { readonly kind: "sign-in"; readonly user: U }
  | { readonly kind: "link"; readonly user: U }
  | { readonly kind: "create" }
  | { readonly kind: "refuse"; readonly reason: "account-exists" | "not-verified" };

/**
 * Which account a person signs in to. Pure. An address joins two accounts only when it is proven on both sides:
 * otherwise whoever registers first with somebody else's address, here or at the provider, would get in with them.
 */
export function decideAccount<U extends { readonly email_verified: boolean }>(
  profile: Pick<Profile, "emailVerified">,
  local: LocalKnowledge<U>,
  requiresVerification: boolean,
): AccountDecision<U> {
  const known = local.byIdentity;
  if (known !== null) {
    if (requiresVerification && !known.email_verified) return { kind: "refuse", reason: "not-verified" };
    return { kind: "sign-in", user: known };
  }
  if (local.byEmail !== null) {
    if (profile.emailVerified && local.byEmail.email_verified) return { kind: "link", user: local.byEmail };
    return { kind: "refuse", reason: "account-exists" };
  }
  if (requiresVerification && !profile.emailVerified) return { kind: "refuse", reason: "not-verified" };
  return { kind: "create" };
}
