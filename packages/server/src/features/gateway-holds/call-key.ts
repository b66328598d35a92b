import { canonicalText, type Json } from "@ambit/ledger";
import type { Secrets } from "../../kernel/secrets.ts";
import { gatewayHoldErrors } from "./errors.ts";
import type { CallKey, CallReference } from "./types.ts";

/**
 * HMAC-SHA-256 over the canonical JSON (RFC 8785) of the call, with a key that only holders of the master key have: a
 * plain hash of short arguments could be guessed. Pure but for the key.
 */
export function callKeyOf(
  secrets: Pick<Secrets, "derive">,
  { grantId, serverId, tool, args }: CallReference,
): CallKey {
  let text: string;
  try {
    text = canonicalText({ grant: grantId, server: serverId, tool, args: args as Json });
  } catch (cause) {
    throw gatewayHoldErrors.GATEWAY_CALL_NOT_HOLDABLE({ cause });
  }
  return secrets.derive("gateway-call", text);
}
