import { sha256Hex } from "../../kernel/ids.ts";
import type { AppCall } from "../../kernel/operation.ts";
import { inEvenTime } from "./answer-time.ts";
import { type AuthContext, sendLetter } from "./context.ts";
import { authErrors } from "./errors.ts";
import { passwordChangedLetter, resetLetter, unverifiedResetLetter } from "./letters.ts";
import { limits } from "./limits.ts";
import * as sessionStore from "./session-store.ts";
import { refuseWeakPassword } from "./sign-up.ts";
import * as store from "./store.ts";

/**
 * Mails what is needed for a new password; the answer and its time are the same for every address. An address that
 * was never verified gets a sign-in code instead: a new password alone would not make the account its owner's.
 */
export async function forgotPassword(context: AuthContext, call: AppCall, email: string): Promise<void> {
  const { platform, codes, rates } = context;
  const appId = call.app.id;
  await rates.address("recovery", { appId, ip: call.ip });
  await rates.addressAndAccount("forgotPassword", { appId, ip: call.ip, account: email });
  await rates.account("mail", appId, email);
  await inEvenTime(limits.answerStepMs, async () => {
    const user = await store.selectUserByEmail(platform.database, appId, email);
    if (user === null) return;
    if (user.email_verified) {
      const { code, token } = await codes.issue({ appId, email, purpose: "reset" });
      await sendLetter(
        context,
        { appId, email, kind: "reset_password" },
        resetLetter(call.app.name, code, token),
      );
    } else {
      const { code } = await codes.issue({ appId, email, purpose: "magic" });
      await sendLetter(
        context,
        { appId, email, kind: "magic_link" },
        unverifiedResetLetter(call.app.name, code),
      );
    }
  });
}

/** Proof of a password reset: the code with its address, or the token that stands for both. */
export type ResetProof = { readonly email: string; readonly code: string } | { readonly token: string };

/** Sets a new password and ends every session of the user. */
export async function resetPassword(
  context: AuthContext,
  call: AppCall,
  proof: ResetProof,
  password: string,
): Promise<void> {
  const { platform, codes, hasher, rates, sessions } = context;
  const appId = call.app.id;
  const account = "token" in proof ? sha256Hex(proof.token) : proof.email;
  await rates.address("recovery", { appId, ip: call.ip });
  await rates.addressAndAccount("resetPassword", { appId, ip: call.ip, account });
  refuseWeakPassword(password);
  const proven =
    "token" in proof
      ? await codes.proveToken(appId, "reset", proof.token)
      : await codes.prove({ appId, email: proof.email, purpose: "reset" }, proof.code);
  const { email } = proven.key;
  // Hashed only for a right code, and before the transaction: hashing may wait its turn.
  const hash = await hasher.hash(password);
  const ended = await platform.database.transaction(async (tx) => {
    await codes.spend(tx, proven);
    const user = await store.lockUserByEmail(tx, appId, email);
    if (user === null) throw authErrors.AUTH_INVALID_CODE();
    await store.updatePassword(tx, user.id, hash);
    return sessionStore.deleteSessions(tx, { appId, userId: user.id }, { id: null });
  });
  sessions.ended(appId, ended);
  await sendLetter(context, { appId, email, kind: "password_changed" }, passwordChangedLetter(call.app.name));
}

/** Changes the password of a signed-in user who knows the present one; ends the user's other sessions. */
export async function changePassword(
  context: AuthContext,
  call: AppCall,
  user: { userId: string; sessionId: string },
  input: { current_password: string; new_password: string },
): Promise<void> {
  const { platform, hasher, rates, sessions } = context;
  const appId = call.app.id;
  await rates.addressAndAccount("changePassword", { appId, ip: call.ip, account: user.userId });
  refuseWeakPassword(input.new_password);
  const row = await store.selectUser(platform.database, appId, user.userId);
  const matches = await hasher.verify(row?.password_hash ?? null, input.current_password);
  if (row === null || !matches) throw authErrors.AUTH_WRONG_PASSWORD();
  const hash = await hasher.hash(input.new_password);
  const ended = await platform.database.transaction(async (tx) => {
    await store.updatePassword(tx, row.id, hash);
    return sessionStore.deleteSessions(tx, { appId, userId: row.id }, { id: null, except: user.sessionId });
  });
  sessions.ended(appId, ended);
  if (row.email !== null) {
    const to = { appId, email: row.email, kind: "password_changed" };
    await sendLetter(context, to, passwordChangedLetter(call.app.name));
  }
}
