import type { Platform } from "../../engines/platform.ts";
import { fetchErrors } from "../../kernel/guarded-fetch.ts";
import type { Feature } from "../../kernel/operation.ts";
import { authErrors } from "./errors.ts";
import { authOperations } from "./operations.ts";
import { type AuthDependencies, type AuthService, createAuthParts } from "./service.ts";

/** End users of apps: sign-up, sign-in, sessions, OAuth. */
export function createAuth(
  platform: Platform,
  dependencies: AuthDependencies,
): { feature: Feature; service: AuthService } {
  const parts = createAuthParts(platform, dependencies);
  const feature: Feature = {
    name: "auth",
    operations: authOperations(parts),
    errors: { ...authErrors.entries, ...fetchErrors.entries },
    tools: [
      {
        name: "manage_auth_users",
        title: "Manage an app's users",
        description:
          "Lists and deletes the end users of an app. delete ends every session of the user at once.",
      },
      {
        name: "manage_oauth",
        title: "Manage OAuth providers",
        description:
          "Lets users of an app sign in at google, github, discord, facebook, linkedin, microsoft, apple, x, or any provider whose URLs are given.",
      },
      {
        name: "manage_auth_config",
        title: "Manage auth configuration",
        description:
          "Token lifetimes, the auth hook, whether addresses must be verified, the mail outbox of an app without SMTP, and API keys.",
      },
    ],
  };
  return { service: parts.service, feature };
}
