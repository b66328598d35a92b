import type { Secrets } from "../../kernel/secrets.ts";
import { outboxErrors } from "./errors.ts";
import { usableSecret } from "./signing.ts";

const PURPOSE = "outbox-target";

/** Seals a target's signing secret for its organisation and capability. Throws OUTBOX_SECRET_INVALID. */
export function sealSecret(
  secrets: Secrets,
  target: { readonly organization_id: string; readonly capability: string },
  secret: string,
): string {
  if (!usableSecret(secret)) throw outboxErrors.OUTBOX_SECRET_INVALID();
  return secrets.seal(PURPOSE, secret, contextOf(target));
}

/** Opens it again. Throws OUTBOX_SECRET_LOST when it was sealed with another master key. */
export function openSecret(
  secrets: Secrets,
  target: { readonly organization_id: string; readonly capability: string },
  sealed: string,
): string {
  try {
    return secrets.open(PURPOSE, sealed, contextOf(target));
  } catch (cause) {
    throw outboxErrors.OUTBOX_SECRET_LOST({ cause });
  }
}

const contextOf = (target: { readonly organization_id: string; readonly capability: string }) =>
  `${target.organization_id} ${target.capability}`;
