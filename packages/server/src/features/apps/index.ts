import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import { configOperations } from "./config-operations.ts";
import { appErrors } from "./errors.ts";
import { lifecycleOperations, type SubstrateLinksOf } from "./operations.ts";
import { type AppsService, createAppsService } from "./service.ts";

/** Apps: their life and their settings. `linksOf` tells which of them use the substrate. */
export function createApps(
  platform: Platform,
  linksOf: SubstrateLinksOf,
): { feature: Feature; service: AppsService } {
  const service = createAppsService(platform);
  const feature: Feature = {
    name: "apps",
    operations: [
      ...lifecycleOperations(platform, service, linksOf),
      ...configOperations(platform, service, linksOf),
    ],
    errors: appErrors.entries,
    tools: [
      {
        name: "manage_app",
        title: "Manage an app",
        description:
          "Lists, configures, pauses, secures and deletes apps, and sets their environment variables. delete destroys everything the app owns.",
      },
      {
        name: "init_app",
        title: "Create an app",
        description: "Creates an app with its own database, ready at once.",
      },
    ],
    start: () => service.recover(),
  };
  return { service, feature };
}
