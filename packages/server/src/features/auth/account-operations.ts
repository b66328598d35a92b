import { z } from "zod";
import { errors } from "../../kernel/errors.ts";
import { type AnyOperation, appOperation } from "../../kernel/operation.ts";
import type { AuthContext } from "./context.ts";
import { appId, audited, code, email, message, password, secretFields, tokenAnswer } from "./fields.ts";
import { limits } from "./limits.ts";
import { changePassword, forgotPassword, type ResetProof, resetPassword } from "./passwords.ts";
import { logIn, sendMagicCode, signInByCode } from "./sign-in.ts";
import { signUp, verifyEmail } from "./sign-up.ts";
import { signedIn } from "./signed-in.ts";
import { userShape } from "./user-view.ts";

/** What every operation of a user's own account has in common. */
const common = {
  right: "public",
  risk: "write",
  idempotent: false,
  whilePaused: false,
  secretFields,
} as const;
const post = (path: string, status = 200) => ({
  method: "POST" as const,
  path: `/auth/:app_id/${path}`,
  status,
});

/** Signing up and in, verifying addresses, and passwords. */
export const accountOperations = (context: AuthContext): AnyOperation[] => [
  ...signUpOperations(context),
  ...signInOperations(context),
  ...passwordOperations(context),
];

function signUpOperations(context: AuthContext): AnyOperation[] {
  return [
    appOperation({
      ...common,
      name: "auth.signup",
      title: "Sign up",
      summary:
        "Makes a user with an address and a password, and mails a code to verify the address. Gives no tokens.",
      input: z.object({
        app_id: appId,
        email,
        password,
        display_name: z
          .string()
          .trim()
          .max(limits.displayNameChars)
          .optional()
          .describe("The name others see"),
      }),
      output: message.extend({ user: userShape.omit({ avatar_url: true }) }),
      errors: ["AUTH_EMAIL_ALREADY_REGISTERED", "VALIDATION_WEAK_PASSWORD", "AUTH_BUSY"],
      audit: audited("create"),
      http: post("signup", 201),
      async run(call, input) {
        const { avatar_url: _avatar, ...user } = await signUp(context, call, input);
        return { user, message: "Signed up. A code to verify the address is on its way." };
      },
    }),
    appOperation({
      ...common,
      name: "auth.verify_email",
      title: "Verify an address",
      summary: "Verifies a user's address by the code mailed at sign-up. Good for 24 hours, five tries.",
      input: z.object({ app_id: appId, email, code }),
      output: message,
      errors: ["AUTH_INVALID_CODE"],
      audit: audited("update"),
      http: post("verify-email"),
      async run(call, input) {
        await verifyEmail(context, call, input);
        return { message: "The address is verified." };
      },
    }),
  ];
}

function signInOperations(context: AuthContext): AnyOperation[] {
  return [
    appOperation({
      ...common,
      name: "auth.login",
      title: "Log in",
      summary: "Signs a user in by address and password.",
      input: z.object({ app_id: appId, email, password }),
      output: tokenAnswer,
      errors: ["AUTH_INVALID_CREDENTIALS", "AUTH_EMAIL_NOT_VERIFIED", "AUTH_BUSY"],
      audit: audited("invoke"),
      http: post("login"),
      run: (call, input) => logIn(context, call, input),
    }),
    appOperation({
      ...common,
      name: "auth.magic_link",
      title: "Mail a sign-in code",
      summary:
        "Mails a code to sign in with, good for 15 minutes. Who has no account yet gets one by using it.",
      input: z.object({ app_id: appId, email }),
      output: message,
      audit: audited("invoke"),
      http: post("magic-link"),
      async run(call, input) {
        await sendMagicCode(context, call, input.email);
        return { message: "A sign-in code is on its way." };
      },
    }),
    appOperation({
      ...common,
      name: "auth.magic_link_verify",
      title: "Sign in by code",
      summary: "Signs a user in by the mailed code and verifies the address.",
      input: z.object({ app_id: appId, email, code }),
      output: tokenAnswer,
      errors: ["AUTH_INVALID_CODE"],
      audit: audited("invoke"),
      http: post("magic-link/verify"),
      run: (call, input) => signInByCode(context, call, input),
    }),
  ];
}

function passwordOperations(context: AuthContext): AnyOperation[] {
  return [
    appOperation({
      ...common,
      name: "auth.forgot_password",
      title: "Ask for a new password",
      summary: "Mails what is needed to set a new password. The answer is the same for every address.",
      input: z.object({ app_id: appId, email }),
      output: message,
      audit: audited("invoke"),
      http: post("forgot-password"),
      async run(call, input) {
        await forgotPassword(context, call, input.email);
        return { message: "If there is an account with this address, a mail is on its way." };
      },
    }),
    appOperation({
      ...common,
      name: "auth.reset_password",
      title: "Set a new password",
      summary:
        "Sets a new password by the mailed code with its address, or by the mailed token. Ends all sessions.",
      input: z.object({
        app_id: appId,
        email: email.optional(),
        code: code.optional(),
        token: z
          .string()
          .min(1)
          .max(200)
          .optional()
          .describe("The token from the mail, instead of email and code"),
        new_password: password,
      }),
      output: message,
      errors: ["AUTH_INVALID_CODE", "VALIDATION_WEAK_PASSWORD", "AUTH_BUSY"],
      audit: audited("update"),
      http: { ...post("reset-password"), rename: { newPassword: "new_password" } },
      async run(call, input) {
        await resetPassword(context, call, proofOf(input), input.new_password);
        return { message: "The password is changed. Log in with it." };
      },
    }),
    appOperation({
      ...common,
      name: "auth.change_password",
      title: "Change the password",
      summary: "Changes the signed-in user's password and ends the user's other sessions.",
      input: z.object({ app_id: appId, current_password: password, new_password: password }),
      output: message,
      errors: ["AUTH_WRONG_PASSWORD", "VALIDATION_WEAK_PASSWORD", "AUTH_BUSY"],
      audit: audited("update"),
      http: post("change-password"),
      async run(call, input) {
        await changePassword(context, call, signedIn(call), input);
        return { message: "The password is changed." };
      },
    }),
  ];
}

function proofOf(input: {
  email?: string | undefined;
  code?: string | undefined;
  token?: string | undefined;
}): ResetProof {
  if (input.token !== undefined) return { token: input.token };
  if (input.email !== undefined && input.code !== undefined) return { email: input.email, code: input.code };
  throw errors.VALIDATION_INVALID_SCHEMA({
    message: "A proof is missing.",
    remediation: "Send email and code from the mail, or token from the mail.",
  });
}
