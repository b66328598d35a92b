import type { Letter } from "../mail/service.ts";

/** The words of every mail. Pure; `app` is the app's name. */
const letter = (
  subject: string,
  lines: readonly string[],
  codes: { code?: string; token?: string } = {},
): Letter => ({
  subject,
  text: `${lines.join("\n\n")}\n`,
  ...codes,
});

const ignore = "If this was not you, ignore this mail.";

export const verifyLetter = (app: string, code: string): Letter =>
  letter(
    `${code} is your code for ${app}`,
    [
      `Welcome to ${app}. Enter this code to verify your address:`,
      code,
      `It is good for 24 hours. ${ignore}`,
    ],
    { code },
  );

export const alreadyRegisteredLetter = (app: string): Letter =>
  letter(`You already have an account with ${app}`, [
    `Somebody signed up to ${app} with your address, but there is an account with it already.`,
    `If it was you, log in, or ask for a new password. ${ignore}`,
  ]);

export const resetLetter = (app: string, code: string, token: string): Letter =>
  letter(
    `${code} is your code for a new ${app} password`,
    [
      `To choose a new password for ${app}, enter this code:`,
      code,
      "Or, where you are asked for a token, this:",
      token,
      `Both are good for one hour and work once. ${ignore}`,
    ],
    { code, token },
  );

export const unverifiedResetLetter = (app: string, code: string): Letter =>
  letter(
    `${code} is your sign-in code for ${app}`,
    [
      `Somebody asked for a new password for your account with ${app}. Your address was never verified, so there is no password to renew yet.`,
      "Sign in with this code instead; that verifies your address, removes the old password, and lets you choose a new one:",
      code,
      `It is good for 15 minutes. ${ignore}`,
    ],
    { code },
  );

export const magicLetter = (app: string, code: string): Letter =>
  letter(
    `${code} is your sign-in code for ${app}`,
    [`Enter this code to sign in to ${app}:`, code, `It is good for 15 minutes. ${ignore}`],
    { code },
  );

export const passwordChangedLetter = (app: string): Letter =>
  letter(`Your ${app} password was changed`, [
    `The password of your account with ${app} was changed.`,
    "If this was not you, ask for a new password at once: whoever did it could read your mail or knew your password.",
  ]);
