import { onlyReads } from "../../kernel/access.ts";
import type { Principal } from "../../kernel/principal.ts";
import type { Viewer } from "./subscriptions.ts";

/** A caller as realtime sees them: with the same claims that policies see when they read rows. */
export function viewerOf(principal: Principal): Viewer {
  if (principal.kind === "key") {
    const viewer = { role: "service", userId: null, claims: "", subject: "" } as const;
    return onlyReads(principal) ? { ...viewer, readOnly: true } : viewer;
  }
  if (principal.kind === "anonymous") return { role: "anon", userId: null, claims: "", subject: "" };
  const { claims, userId } = principal;
  const subject = typeof claims.sub === "string" ? claims.sub : "";
  return { role: "user", userId, claims: JSON.stringify(claims), subject };
}
