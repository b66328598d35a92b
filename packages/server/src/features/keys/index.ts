import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import { keyErrors } from "./errors.ts";
import { keyOperations } from "./operations.ts";
import type { KeysService } from "./service.ts";

/** Platform keys: minting, listing, revoking. `appOrganization` tells whose an app is, null for none. */
export function createKeys(
  platform: Platform,
  service: KeysService,
  appOrganization: (appId: string) => Promise<string | null>,
): Feature {
  return {
    name: "keys",
    operations: keyOperations(platform, service, appOrganization),
    errors: keyErrors.entries,
    tools: [
      {
        name: "manage_api_keys",
        title: "Manage API keys",
        description:
          "Lists and revokes API keys of the caller's organisation. New keys are minted by a person.",
      },
    ],
  };
}
