import { z } from "zod";
import type { HttpReply } from "../../kernel/http-reply.ts";
import type { AuditShape } from "../../kernel/operation.ts";
import { limits } from "./limits.ts";
import { userShape } from "./user-view.ts";

/** Fields and answers the operations share. */
export const appId = z.string().describe("The app");
export const email = z
  .string()
  .trim()
  .toLowerCase()
  .max(limits.emailChars)
  .regex(z.regexes.email, "not an e-mail address")
  .describe("The user's address; case does not matter");
/** Longer than any allowed password, so that the rules can say what is wrong with one. */
export const password = z
  .string()
  .min(1)
  .max(limits.passwordChars * 4)
  .describe("8 to 200 characters with upper and lower case, a digit and a special character");
export const code = z
  .string()
  .trim()
  .regex(new RegExp(`^\\d{${limits.codeDigits}}$`), `a code has ${limits.codeDigits} digits`)
  .describe("The code from the mail");
export const message = z.object({ message: z.string() });
export const tokenAnswer = z.object({
  access_token: z.string(),
  refresh_token: z.string().describe("Good for one refresh"),
  expires_in: z.number().describe("Seconds the access token lives"),
  token_type: z.literal("Bearer"),
  user: userShape,
});

/** What is never recorded or logged of any operation here. */
export const secretFields = [
  "password",
  "current_password",
  "new_password",
  "newPassword",
  "refresh_token",
  "code",
  "token",
  "state",
  "user",
  "client_secret",
];

/** What the audit log says; of callers without a session it names the address they gave. */
export const audited = (action: AuditShape<unknown>["action"], resourceType = "app_user") => ({
  category: "auth" as const,
  action,
  resourceType,
  resourceId: (input: object) => {
    const { email: given } = input as { email?: unknown };
    return typeof given === "string" ? given.slice(0, limits.emailChars) : null;
  },
});

/** A reply in the place of the declared output: the HTTP door sends it, other doors have no form for it. */
export const asOutput = (reply: HttpReply): never => reply as never;
