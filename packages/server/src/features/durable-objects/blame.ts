import { workerdErrors } from "../../engines/workerd/errors.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { RuntimeService } from "../runtime/service.ts";
import type { ActorClass } from "./service.ts";

/** Throws RUNTIME_UNAVAILABLE for a class that has lately brought the app's process down over and over. */
export function refuseBlamed(
  runtime: Pick<RuntimeService, "blamed">,
  clock: Clock,
  { appId, name }: ActorClass,
): void {
  const blame = runtime.blamed(appId, "actors", name);
  if (blame === null) return;
  const seconds = Math.max(1, Math.ceil((blame.untilMs - clock()) / 1_000));
  throw workerdErrors.RUNTIME_UNAVAILABLE({
    message: `The class ${name} is not run for now: ${blame.reason}`,
    remediation:
      "The developer finds what it did in its logs, and has it run again by deploying a corrected version.",
    headers: { "Retry-After": String(seconds) },
  });
}
