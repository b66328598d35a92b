import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import { approvalErrors } from "./errors.ts";
import { createExpiry } from "./expiry.ts";
import { approvalOperations } from "./operations.ts";
import { type ApprovalsDeps, type ApprovalsService, createApprovalsService } from "./service.ts";
import { settingsOperations } from "./settings-operations.ts";

/** The one inbox for everything that waits for a person. */
export function createApprovals(
  platform: Platform,
  deps: ApprovalsDeps,
): { feature: Feature; service: ApprovalsService } {
  const { service, ticket } = createApprovalsService(platform, deps);
  const expiry = createExpiry(ticket, service.tokens);
  const feature: Feature = {
    name: "approvals",
    operations: [...settingsOperations(service), ...approvalOperations(platform, service)],
    errors: approvalErrors.entries,
    tools: [
      {
        name: "manage_approvals",
        title: "Manage approvals",
        description:
          "The inbox of what waits for a person: proposed actions and tool calls that need approval. Anyone may look (list, get: who asks, the exact arguments, why it waits, and a computed preview of what approving would change); only a person's key with the right to decide may approve or reject. Agents: tell your person the approval's page (url) and look again later; don't ask for the same thing twice.",
      },
    ],
    start: async () => expiry.start(),
    stop: () => expiry.stop(),
  };
  return { feature, service };
}
