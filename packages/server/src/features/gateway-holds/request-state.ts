import type { Secrets } from "../../kernel/secrets.ts";
import { limits } from "./limits.ts";
import type { CallKey } from "./types.ts";

/** What a `requestState` says, to Ambit alone. */
export interface RequestState {
  readonly approvalId: string;
  /** Used once. */
  readonly nonce: string;
  readonly expiresAtMs: number;
}

const PURPOSE = "gateway-request-state";

/** Seals a state to the call it is about: for any other grant, tool or arguments it can't be opened. */
export const sealState = (secrets: Secrets, key: CallKey, state: RequestState): string =>
  secrets.seal(PURPOSE, JSON.stringify([state.approvalId, state.nonce, state.expiresAtMs]), key);

/** What `sealState` made of it; null for anything else, and when its time is over. */
export function openState(
  secrets: Secrets,
  key: CallKey,
  sealed: string,
  nowMs: number,
): RequestState | null {
  if (sealed.length > limits.stateChars) return null;
  let text: string;
  try {
    text = secrets.open(PURPOSE, sealed, key);
  } catch {
    return null;
  }
  const [approvalId, nonce, expiresAtMs] = JSON.parse(text) as [string, string, number];
  return expiresAtMs > nowMs ? { approvalId, nonce, expiresAtMs } : null;
}
