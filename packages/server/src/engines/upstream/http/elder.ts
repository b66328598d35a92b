import { randomUUID } from "node:crypto";
import { createElder, type Elder, type StatelessFace } from "../bridge/index.ts";
import type { HttpLimits } from "./limits.ts";
import { createMirroring } from "./mirroring.ts";

/** These sessions live on one node; their ids say so everywhere. */
const PREFIX = "ambit-elder-";

/** Sessions of older clients in front of a server that knows none; elsewhere each of them is not found. */
export function createElderSessions(
  face: Pick<StatelessFace, "send">,
  limits: Pick<HttpLimits, "elderSessions" | "elderIdleMs" | "discoverMs">,
): Elder {
  const elder = createElder(createMirroring(face), {
    maxSessions: limits.elderSessions,
    sessionIdleMs: limits.elderIdleMs,
    openTimeoutMs: limits.discoverMs,
    now: () => performance.now(),
    newId: () => PREFIX + randomUUID(),
  });
  return { ...elder, knows: (sessionId) => sessionId?.startsWith(PREFIX) === true };
}
