import { decideAccess, organizationKeyOf } from "../../kernel/access.ts";
import { type AmbitError, errors } from "../../kernel/errors.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import type { ApprovePageDeps } from "./deps.ts";
import { limits } from "./limits.ts";

/**
 * The person a key belongs to. Throws AUTH_* for anything that is not the live key of a person, in words for the one
 * who typed it, and QUOTA_RATE_LIMIT for an address that tries many.
 */
export async function personOf(deps: ApprovePageDeps, typed: unknown, ip: string): Promise<KeyPrincipal> {
  const key = typeof typed === "string" ? typed.trim() : "";
  // What can't be a key never becomes a header.
  if (key.length > limits.keyChars || !/^[\x21-\x7e]+$/.test(key)) throw unknownKey();
  const principal = await deps
    .resolvePrincipal(`Bearer ${key}`, null, ip)
    .catch((error: AmbitError) => Promise.reject(error.status === 401 ? unknownKey() : error));
  if (principal.kind !== "key") throw unknownKey();
  if (principal.keyKind !== "person") {
    throw errors.AUTH_PERSON_REQUIRED({
      message: "This is an agent's key: agents never decide on approvals.",
      remediation: "Sign in with your own key, of kind person.",
    });
  }
  const refusal = decideAccess({
    ...{ principal, right: "view", surface: "any", personOnly: true, app: null, organizationId: null },
    nowMs: deps.clock(),
  });
  if (refusal !== null) throw refusal;
  return organizationKeyOf({ principal });
}

const unknownKey = (): AmbitError =>
  errors.AUTH_INVALID_API_KEY({
    message: "That is not a live key.",
    remediation: "Check it for missing characters; a person can mint another: POST /api-keys.",
  });
