import type { Platform } from "../../engines/platform.ts";
import { workerdErrors } from "../../engines/workerd/errors.ts";
import type { Feature } from "../../kernel/operation.ts";
import { loadEngine } from "./engine.ts";
import { runtimeErrors } from "./errors.ts";
import { runtimeOperations } from "./operations.ts";
import { createRuntimeService, type MakeEngine, type RuntimeService } from "./service.ts";

/** What runs apps' code: its processes, its logs, its usage, and what it may reach. */
export function createRuntime(
  platform: Platform,
  makeEngine: MakeEngine = loadEngine,
): { feature: Feature; service: RuntimeService } {
  const service = createRuntimeService(platform, makeEngine);
  const feature: Feature = {
    name: "runtime",
    operations: runtimeOperations(service),
    errors: { ...workerdErrors.entries, ...runtimeErrors.entries },
    tools: [
      {
        name: "manage_runtime",
        title: "Manage the runtime",
        description:
          "Shows the processes that run an app's functions and Durable Objects (status), reads and sets which hosts they may reach (get_egress, set_egress), and switches their logs on and off (get_logs_settings, set_logs).",
      },
    ],
    start: () => service.start(),
    stop: () => service.stop(),
  };
  return { feature, service };
}
