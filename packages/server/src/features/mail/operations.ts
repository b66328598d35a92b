import { z } from "zod";
import { type AnyOperation, appOperation, platformOperation } from "../../kernel/operation.ts";
import { limits } from "./limits.ts";
import type { KeptMail, MailService } from "./service.ts";

const to = z.string().trim().toLowerCase().max(254).optional().describe("Only mail to this address");
const limit = z.coerce.number().int().min(1).max(limits.keptPerOwner).default(20).describe("How many mails");
const output = z.object({
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
});

const present = (mails: readonly KeptMail[]) => ({
  mails: mails.map(({ createdAt, code = null, token = null, ...mail }) => ({
    ...mail,
    code,
    token,
    created_at: createdAt.toISOString(),
  })),
});

/** What would have been mailed, for working without an SMTP server. */
export function mailOperations(service: MailService): AnyOperation[] {
  return [
    appOperation({
      name: "mail.read_outbox",
      title: "Read the mail outbox",
      summary:
        "The mails an app wrote to its users, newest first, with their one-time codes. Only while no SMTP server is configured.",
      input: z.object({ app_id: z.string().describe("The app"), to, limit }),
      output,
      right: "develop",
      risk: "read",
      idempotent: true,
      errors: ["MAIL_OUTBOX_OFF"],
      http: { method: "GET", path: "/v1/:app_id/auth/outbox" },
      mcp: { tool: "manage_auth_config", action: "read_outbox" },
      run: async ({ app }, input) => present(await service.outbox(app.id, input.to ?? null, input.limit)),
    }),
    platformOperation({
      name: "mail.organization_outbox",
      title: "Read the mail to members",
      summary:
        "The mails to an organisation's members, such as notices of approvals, newest first. Only while no SMTP server is configured.",
      input: z.object({ organization_id: z.uuid().describe("The organisation"), to, limit }),
      output,
      right: "administer",
      personOnly: true,
      risk: "read",
      idempotent: true,
      errors: ["MAIL_OUTBOX_OFF"],
      http: { method: "GET", path: "/v1/organizations/:organization_id/mail" },
      mcp: { tool: "manage_organizations", action: "read_mail" },
      run: async (_call, input) =>
        present(await service.organizationOutbox(input.organization_id, input.to ?? null, input.limit)),
    }),
  ];
}
