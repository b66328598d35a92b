import { z } from "zod";
import { type AnyOperation, appOperation } from "../../kernel/operation.ts";
import { limits } from "./limits.ts";
import type { MailService } from "./service.ts";

/** `mail.read_outbox`: what would have been mailed, for developing without an SMTP server. */
export function mailOperations(service: MailService): AnyOperation[] {
  return [
    appOperation({
      name: "mail.read_outbox",
      title: "Read the mail outbox",
      summary:
        "The mails an app wrote to its users, newest first, with their one-time codes. Only while no SMTP server is configured.",
      input: z.object({
        app_id: z.string().describe("The app"),
        to: z.string().trim().toLowerCase().max(254).optional().describe("Only mail to this address"),
        limit: z.coerce.number().int().min(1).max(limits.keptPerApp).default(20).describe("How many mails"),
      }),
      output: z.object({
        mails: z.array(
          z.object({
            id: z.string(),
            to: z.string(),
            kind: z.string(),
            subject: z.string(),
            text: z.string(),
            code: z.string().nullable(),
            token: z.string().nullable(),
            created_at: z.string(),
          }),
        ),
      }),
      right: "develop",
      risk: "read",
      idempotent: true,
      errors: ["MAIL_OUTBOX_OFF"],
      http: { method: "GET", path: "/v1/:app_id/auth/outbox" },
      mcp: { tool: "manage_auth_config", action: "read_outbox" },
      async run({ app }, input) {
        const mails = await service.outbox(app.id, input.to ?? null, input.limit);
        return {
          mails: mails.map(({ createdAt, code = null, token = null, ...mail }) => ({
            ...mail,
            code,
            token,
            created_at: createdAt.toISOString(),
          })),
        };
      },
    }),
  ];
}
