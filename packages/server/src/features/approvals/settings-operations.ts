import { z } from "zod";
import { organizationKeyOf } from "../../kernel/access.ts";
import { type AnyOperation, platformOperation } from "../../kernel/operation.ts";
import { limits } from "./limits.ts";
import type { ApprovalSettings, ApprovalsService } from "./service.ts";

const tool = "manage_approvals";
const path = "/v1/approvals/settings";
const HOUR_MS = 3_600_000;

const settings = z.object({
  four_eyes: z
    .boolean()
    .nullable()
    .describe("Whether nobody approves what they asked for themselves; null: once two members may decide"),
  expires_after_hours: z.number().nullable().describe("How long a request waits; null: 24"),
  notify_emails: z.array(z.string()).nullable().describe("Who gets mail; null: every member who may decide"),
});

const present = ({ fourEyes, expiresAfterMs, notifyEmails }: ApprovalSettings): z.infer<typeof settings> => ({
  four_eyes: fourEyes,
  expires_after_hours: expiresAfterMs === null ? null : expiresAfterMs / HOUR_MS,
  notify_emails: notifyEmails === null ? null : [...notifyEmails],
});

/** What an organisation's owner decides about its inbox. */
export function settingsOperations(service: ApprovalsService): AnyOperation[] {
  const owners = { output: settings, right: "own", surface: "any", personOnly: true } as const;
  return [
    platformOperation({
      ...owners,
      name: "approvals.get_settings",
      title: "Get the inbox's settings",
      summary: "Four eyes, how long requests wait, and who gets mail. Null stands for the default.",
      input: z.object({}),
      risk: "read",
      idempotent: true,
      http: { method: "GET", path },
      mcp: { tool, action: "get_settings" },
      run: async (call) => present(await service.settings(organizationKeyOf(call).organizationId)),
    }),
    platformOperation({
      ...owners,
      name: "approvals.update_settings",
      title: "Change the inbox's settings",
      summary: "Changes the settings that are given; null restores a default. Only an owner may do this.",
      input: z.object({
        four_eyes: settings.shape.four_eyes.optional(),
        expires_after_hours: z
          .number()
          .int()
          .min(1)
          .max(limits.longestWaitMs / HOUR_MS)
          .nullable()
          .optional()
          .describe("Hours a request waits, from now on"),
        notify_emails: z
          .array(z.email().max(254))
          .max(limits.notifyEmails)
          .nullable()
          .optional()
          .describe("Addresses that get mail; an empty list: nobody"),
      }),
      risk: "write",
      overwrites: true,
      idempotent: true,
      audit: { category: "admin", action: "update", resourceType: "approval_settings" },
      http: { method: "PATCH", path },
      mcp: { tool, action: "update_settings" },
      async run(call, input) {
        const hours = input.expires_after_hours;
        const change = {
          fourEyes: input.four_eyes,
          expiresAfterMs: hours == null ? hours : hours * HOUR_MS,
          notifyEmails: input.notify_emails,
        };
        return present(await service.configure(organizationKeyOf(call).organizationId, change));
      },
    }),
  ];
}
