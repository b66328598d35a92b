import { actorHeaders } from "../../engines/workerd/headers.ts";
import type { Principal } from "../../kernel/principal.ts";

/** The headers that tell an actor who calls from outside, flat. Pure. */
export function identityHeaders(principal: Principal): string[] {
  switch (principal.kind) {
    case "anonymous":
      return [actorHeaders.callerType, "anonymous"];
    case "user":
      return [actorHeaders.callerType, "end_user_jwt", actorHeaders.callerUser, principal.userId];
    case "key":
      return [actorHeaders.callerType, "service_key", actorHeaders.callerKey, principal.keyId];
  }
}
