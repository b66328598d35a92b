import type { App } from "../../kernel/operation.ts";
import { ANONYMOUS, type Principal } from "../../kernel/principal.ts";
import type { EventHandler } from "../realtime/service.ts";

type Viewer = Parameters<EventHandler>[0]["viewer"];

/**
 * Who a function runs for when a socket's client sends an event. Pure. A socket opened with a key sees every row, but
 * does not tell what else the key may do: its functions may read as it does, and write nothing.
 */
export function principalOfViewer(viewer: Viewer, app: Pick<App, "id" | "organizationId">): Principal {
  if (viewer.role === "anon") return ANONYMOUS;
  if (viewer.role === "user") {
    const claims = viewer.claims === "" ? {} : (JSON.parse(viewer.claims) as Record<string, unknown>);
    const userId = viewer.userId ?? viewer.subject;
    // The door ends the connection when the token does.
    return { kind: "user", appId: app.id, userId, claims, expiresAtMs: Number.POSITIVE_INFINITY };
  }
  return {
    kind: "key",
    keyId: "websocket",
    keyKind: "agent",
    accountId: "",
    organizationId: app.organizationId,
    role: "viewer",
    scopes: ["read", `app:${app.id}`],
    expiresAtMs: null,
  };
}
