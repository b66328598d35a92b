import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import type { AppsService } from "../apps/service.ts";
import type { AuthService } from "../auth/service.ts";
import type { RuntimeService } from "../runtime/service.ts";
import { functionErrors } from "./errors.ts";
import { invokeOperation } from "./invoke-operation.ts";
import { logsOperation } from "./log-operation.ts";
import { functionPaths } from "./openapi.ts";
import { functionOperations } from "./operations.ts";
import { createFunctionsService, type FunctionsService } from "./service.ts";
import { settingsOperations } from "./settings-operations.ts";

/**
 * Functions: one TypeScript file each, called over HTTP, by schedules, webhooks, sockets and hooks. Realtime is given
 * `service.onRealtimeEvent`; with `auth` the app's sign-in hook is called.
 */
export function createFunctions(
  platform: Platform,
  deps: { apps: AppsService; runtime: RuntimeService; auth?: Pick<AuthService, "onEvent"> },
): { feature: Feature; service: FunctionsService } {
  const service = createFunctionsService(platform, deps);
  deps.auth?.onEvent((event) => service.onAuthEvent(event));
  const feature: Feature = {
    name: "functions",
    operations: [
      ...functionOperations(platform, service),
      invokeOperation(service),
      logsOperation(service, deps.runtime),
      ...settingsOperations(service),
    ],
    errors: functionErrors.entries,
    paths: functionPaths,
    tools: [
      {
        name: "deploy_function",
        title: "Deploy a function",
        description: "Deploys one TypeScript file as a function of an app, live at once.",
      },
      {
        name: "invoke_function",
        title: "Invoke a function",
        description: "Calls a function as the calling key and shows status, headers and body of its answer.",
      },
      {
        name: "manage_function",
        title: "Manage functions",
        description:
          "Lists, shows and deletes functions, reads their logs, sets their variables and settings, lists versions and rolls back.",
      },
    ],
    start: () => service.start(),
    stop: () => service.stop(),
  };
  return { feature, service };
}
