import type { Clock } from "../../kernel/clock.ts";
import { newToken } from "../../kernel/ids.ts";
import type { Secrets } from "../../kernel/secrets.ts";
import { limits } from "./limits.ts";

/** What a person is about to confirm. */
export interface Intent {
  readonly approvalId: string;
  readonly decision: "approve" | "reject";
  /** Names the preview that was shown. */
  readonly previewHash: string;
}

/** An intent that was put to its person, good for one use. */
export interface Confirmation extends Intent {
  readonly id: string;
  readonly expiresAtMs: number;
}

export interface Confirmations {
  /** The token that confirms the intent, in this session and for two minutes. */
  make(sessionId: string, intent: Intent): string;
  /** What a token confirms; null when it is another session's or approval's, too old, or not a token. */
  open(sessionId: string, approvalId: string, token: string): Confirmation | null;
}

const PURPOSE = "approve-confirmation";

/** Tokens are sealed to session and approval. That each is used once is kept by whoever uses it (`tokens.spend`). */
export function createConfirmations(secrets: Secrets, clock: Clock): Confirmations {
  const contextOf = (sessionId: string, approvalId: string) => `${sessionId} ${approvalId}`;
  return {
    make(sessionId, intent) {
      const confirmation: Confirmation = {
        ...intent,
        id: newToken(),
        expiresAtMs: clock() + limits.confirmationMs,
      };
      const context = contextOf(sessionId, intent.approvalId);
      return secrets.seal(PURPOSE, JSON.stringify(confirmation), context);
    },
    open(sessionId, approvalId, token) {
      try {
        const text = secrets.open(PURPOSE, token, contextOf(sessionId, approvalId));
        const confirmation: Confirmation = JSON.parse(text);
        return confirmation.expiresAtMs > clock() ? confirmation : null;
      } catch {
        return null;
      }
    },
  };
}
