import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import { actorErrors } from "./errors.ts";
import { instanceOperations } from "./instance-operations.ts";
import { invokeOperation } from "./invoke-operation.ts";
import { actorPaths } from "./openapi.ts";
import { classOperations, INSTANCES_TOOL, TOOL } from "./operations.ts";
import { runtimeOperations } from "./runtime-operations.ts";
import { createActorParts, type Dependencies, type DurableObjectsService } from "./service.ts";

/** Durable Objects: stateful actors, one per key. */
export function createDurableObjects(
  platform: Platform,
  dependencies: Dependencies,
): { feature: Feature; service: DurableObjectsService } {
  const parts = createActorParts(platform, dependencies);
  const feature: Feature = {
    name: "durable-objects",
    operations: [
      ...classOperations(parts),
      ...instanceOperations(parts),
      invokeOperation(parts),
      ...runtimeOperations(parts),
    ],
    errors: actorErrors.entries,
    paths: actorPaths,
    tools: [
      {
        name: TOOL,
        title: "Manage Durable Objects",
        description:
          "Stateful actors: one instance per room, user or agent, with durable storage, alarms and WebSockets, reached at https://<subdomain>.<base domain>/_do/<name>/<instance-id>. deploy takes one TypeScript file that exports exactly one class with fetch(req); get shows source and status; delete destroys every instance and its storage for good; the env actions set variables shared by all classes of the app. State that belongs to nobody's request is better kept in tables, stateless work in functions.",
      },
      {
        name: INSTANCES_TOOL,
        title: "Manage Durable Object instances",
        description:
          "Calls Durable Objects and looks into them: invoke sends a request to an instance; versions and rollback of a class, its logs, its instances with size and activity, their storage (KV and SQL), deleting, exporting and importing one of them.",
      },
    ],
    start: () => parts.start(),
    stop: () => parts.stop(),
  };
  return { feature, service: parts.service };
}
