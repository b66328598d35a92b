import type { Platform } from "../../engines/platform.ts";
import { AmbitError } from "../../kernel/errors.ts";
import type { GuardedFetch } from "../../kernel/guarded-fetch.ts";
import type { TakenRow } from "./claim-store.ts";
import { limits } from "./limits.ts";
import { type Outcome, retryAfterMs } from "./retry.ts";
import { openSecret } from "./secret.ts";
import { signedHeaders } from "./signing.ts";

/** One try. Null: this node stops, and what became of the request is not known. */
export async function tryOnce(
  { secrets, clock }: Platform,
  fetch: GuardedFetch,
  taken: TakenRow,
  signal: AbortSignal,
): Promise<Outcome | null> {
  try {
    const secret = openSecret(secrets, taken, taken.sealed_secret);
    const { status, headers } = await fetch(taken.target_url, {
      method: "POST",
      headers: signedHeaders(
        secret,
        { id: taken.id, deliveryId: taken.delivery_id, body: taken.body },
        clock(),
      ),
      body: taken.body,
      redirects: 0,
      timeoutMs: limits.timeoutMs,
      maxBytes: limits.answerBytes,
      signal,
    });
    return { kind: "answered", status, retryAfterMs: retryAfterMs(headers["retry-after"], clock()) };
  } catch (error) {
    if (signal.aborted) return null;
    if (!(error instanceof AmbitError)) throw error;
    const kind = error.code === "EXTERNAL_NETWORK_ERROR" ? "failed" : "refused";
    return { kind, error: error.message };
  }
}
