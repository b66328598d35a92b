import { decideAccess } from "../../kernel/access.ts";
import type { App } from "../../kernel/operation.ts";
import type { Principal } from "../../kernel/principal.ts";
import { limits } from "./limits.ts";

/** Why a connection ends: an error frame's message, then a close code (RFC 6455 §7.4) with its reason. */
export interface Ending {
  readonly message: string;
  readonly code: number;
  readonly reason: string;
  /** For programs, in the error frame: what kind of error it is, and what helps. */
  readonly error?: { readonly code: string; readonly remediation: string };
}

/** The caller may not (or not any more). */
const POLICY_VIOLATION = 1008;
const TRY_AGAIN_LATER = 1013;

const MESSAGE_TOO_BIG = 1009;

export const tooMany = (message: string, remediation: string): Ending => ({
  message,
  code: TRY_AGAIN_LATER,
  reason: "Too many connections",
  error: { code: "REALTIME_CONNECTION_LIMIT", remediation },
});

export const tooManyMessages: Ending = {
  message: `Too many messages: at most ${limits.messagesPerSecond} per second.`,
  code: POLICY_VIOLATION,
  reason: "Too many messages",
  error: {
    code: "REALTIME_MESSAGE_RATE_LIMIT",
    remediation: "Connect again and send fewer messages: put several things into one.",
  },
};

export const tooLarge: Ending = {
  message: `The message is too large: at most ${limits.messageBytes} bytes.`,
  code: MESSAGE_TOO_BIG,
  reason: "Message too large",
  error: {
    code: "REALTIME_MESSAGE_TOO_LARGE",
    remediation: "Connect again, keep large data in a table and send its key.",
  },
};

export const signedOut: Ending = {
  message: "Authentication failed: the session was ended. Sign in again.",
  code: POLICY_VIOLATION,
  reason: "Auth failed",
};

/** Decides whether a connection may stand; null for yes. Asked when it begins and every second after. Pure. */
export function endingFor(app: App | null, principal: Principal, nowMs: number): Ending | null {
  if (app === null) return { message: "App not found", code: POLICY_VIOLATION, reason: "App not found" };
  if (app.paused) {
    const why = app.pausedReason ? `: ${app.pausedReason}` : "";
    return { message: `App is paused${why}`, code: TRY_AGAIN_LATER, reason: "App paused" };
  }
  switch (principal.kind) {
    case "anonymous":
      if (app.accessMode === "public") return null;
      return {
        message:
          "Authentication required: this app serves signed-in callers only. Connect with ?token=<access token>.",
        code: POLICY_VIOLATION,
        reason: "Auth required",
      };
    case "user":
      if (principal.appId !== app.id) return signedOut;
      if (principal.expiresAtMs > nowMs) return null;
      return {
        message: "The access token has expired. Refresh it and connect again.",
        code: POLICY_VIOLATION,
        reason: "Token expired",
      };
    case "key": {
      const refusal = decideAccess({
        principal,
        right: "view",
        personOnly: false,
        app,
        organizationId: null,
        nowMs,
      });
      if (refusal === null) return null;
      return {
        message: `Authentication failed: ${refusal.message}`,
        code: POLICY_VIOLATION,
        reason: "Auth failed",
      };
    }
  }
}
