import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import type { KeysService } from "../keys/service.ts";
import { organizationErrors } from "./errors.ts";
import { organizationOperations } from "./operations.ts";
import { createOrganizationsService, type OrganizationsService } from "./service.ts";

/** Organisations and their members: who may do what, in one list of roles. */
export function createOrganizations(
  platform: Platform,
  keys: KeysService,
): { feature: Feature; service: OrganizationsService } {
  const service = createOrganizationsService(platform, keys);
  const feature: Feature = {
    name: "organizations",
    operations: organizationOperations(service),
    errors: organizationErrors.entries,
    tools: [
      {
        name: "manage_organizations",
        title: "Manage organisations",
        description:
          "Organisations and their members. Roles: viewer, developer, policy_manager, admin, owner. Changes need a person's key.",
      },
    ],
  };
  return { service, feature };
}
