import type { AnyOperation } from "../../kernel/operation.ts";
import { accountOperations } from "./account-operations.ts";
import { adminOperations } from "./admin-operations.ts";
import { oauthOperations } from "./oauth-operations.ts";
import type { AuthParts } from "./service.ts";
import { sessionOperations } from "./session-operations.ts";

/** Everything that can be asked of end-user auth. */
export const authOperations = (parts: AuthParts): AnyOperation[] => [
  ...accountOperations(parts.context),
  ...sessionOperations(parts),
  ...oauthOperations(parts),
  ...adminOperations(parts),
];
