import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import type { AppsService } from "../apps/service.ts";
import type { SchemaService } from "../schema/service.ts";
import { rlsErrors } from "./errors.ts";
import { rlsOperations } from "./operations.ts";
import { secureOperation } from "./secure-operation.ts";
import { createRlsService, type RlsService } from "./service.ts";

/** Row-level security: which callers reach which rows of an app's tables. */
export function createRls(
  platform: Platform,
  { schema, apps }: { schema: SchemaService; apps: AppsService },
): { feature: Feature; service: RlsService } {
  const service = createRlsService(platform, schema);
  const feature: Feature = {
    name: "rls",
    operations: [...rlsOperations(service), secureOperation(service, apps)],
    errors: rlsErrors.entries,
    tools: [
      {
        name: "manage_rls",
        title: "Manage row-level security",
        description:
          "Decides which rows anonymous callers and end users reach. create_user_isolation is the usual start: each end user sees their own rows. enable closes a table, create_policy and update_policy take SQL conditions, list shows all, delete removes one policy or all of a table's. API keys always reach every row.",
      },
    ],
  };
  return { service, feature };
}
