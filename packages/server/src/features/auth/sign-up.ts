import { createHash } from "node:crypto";
import { newUuid } from "../../kernel/ids.ts";
import type { AppCall } from "../../kernel/operation.ts";
import { inEvenTime } from "./answer-time.ts";
import { type AuthContext, requiresVerification, sendLetter } from "./context.ts";
import { authErrors } from "./errors.ts";
import { alreadyRegisteredLetter, verifyLetter } from "./letters.ts";
import { limits } from "./limits.ts";
import { passwordProblems } from "./password-rules.ts";
import * as sessions from "./session-store.ts";
import * as store from "./store.ts";
import { type UserView, userView } from "./user-view.ts";

export interface SignUp {
  readonly email: string;
  readonly password: string;
  readonly display_name?: string | undefined;
}

/** Throws VALIDATION_WEAK_PASSWORD with what is missing. */
export function refuseWeakPassword(password: string): void {
  const missing = passwordProblems(password);
  if (missing.length === 0) return;
  throw authErrors.VALIDATION_WEAK_PASSWORD({
    message: `The password is too weak: it needs ${missing.join(", ")}.`,
    details: { missing },
  });
}

/**
 * Makes a user and mails the code that verifies the address. Where the app asks for verified addresses, the answer and
 * its time are the same whether or not there was an account; only the mailbox learns it.
 */
export async function signUp(context: AuthContext, call: AppCall, input: SignUp): Promise<UserView> {
  const { hasher, rates } = context;
  const appId = call.app.id;
  await rates.address("signup", { appId, ip: call.ip });
  refuseWeakPassword(input.password);
  await rates.account("mail", appId, input.email);
  const discreet = await requiresVerification(context, appId);
  const passwordHash = await hasher.hash(input.password);
  const work = () => createOrRemind(context, call, input, passwordHash, discreet);
  return discreet ? inEvenTime(limits.answerStepMs, work) : work();
}

async function createOrRemind(
  context: AuthContext,
  call: AppCall,
  { email, display_name = null }: { email: string; display_name?: string | null | undefined },
  passwordHash: string,
  discreet: boolean,
): Promise<UserView> {
  const { platform, happened } = context;
  const appId = call.app.id;
  const created = await store.insertUser(platform.database, appId, {
    id: newUuid(),
    email,
    email_verified: false,
    password_hash: passwordHash,
    display_name,
    avatar_url: null,
    provider: "email",
    created_at: new Date(platform.clock()),
  });
  if (created !== null) {
    await sendVerifyCode(context, call, email, null);
    happened.emit({ appId, event: "signup", user: userView(created), isNewUser: true, provider: "email" });
    return userView(created);
  }
  if (!discreet) throw authErrors.AUTH_EMAIL_ALREADY_REGISTERED();
  const existing = await store.selectUserByEmail(platform.database, appId, email);
  const unverified = existing !== null && !existing.email_verified;
  // Whoever signs up again proves the address first; until then the account stays as it is.
  if (unverified) await sendVerifyCode(context, call, email, passwordHash);
  else
    await sendLetter(
      context,
      { appId, email, kind: "already_registered" },
      alreadyRegisteredLetter(call.app.name),
    );
  const id = unverified
    ? existing.id
    : decoyId(platform.secrets.derive("auth-decoy-user", `${appId}\n${email}`));
  return { id, email, email_verified: false, display_name, avatar_url: null };
}

async function sendVerifyCode(
  context: AuthContext,
  { app }: AppCall,
  email: string,
  passwordHash: string | null,
): Promise<void> {
  const { code } = await context.codes.issue({ appId: app.id, email, purpose: "verify" }, passwordHash);
  await sendLetter(context, { appId: app.id, email, kind: "verify_email" }, verifyLetter(app.name, code));
}

/** An id that looks like any other and is the same whenever the same address is asked about. */
function decoyId(seed: string): string {
  const bytes = createHash("sha256").update(seed).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Verifies an address by the code mailed to it. */
export async function verifyEmail(
  context: AuthContext,
  call: AppCall,
  { email, code }: { email: string; code: string },
): Promise<void> {
  const { codes, rates, platform, happened } = context;
  const appId = call.app.id;
  await rates.address("recovery", { appId, ip: call.ip });
  await rates.addressAndAccount("verifyEmail", { appId, ip: call.ip, account: email });
  const proven = await codes.prove({ appId, email, purpose: "verify" }, code);
  const { user, ended } = await platform.database.transaction(async (tx) => {
    await codes.spend(tx, proven);
    const row = await store.lockUserByEmail(tx, appId, email);
    if (row === null) throw authErrors.AUTH_INVALID_CODE();
    await store.markVerified(tx, row.id);
    const takesOver = proven.passwordHash !== null && !row.email_verified;
    const ids = takesOver ? await dropUnproven(tx, appId, row.id, proven.passwordHash) : [];
    return { user: { ...row, email_verified: true }, ended: ids };
  });
  context.sessions.ended(appId, ended);
  happened.emit({
    appId,
    event: "email_verified",
    user: userView(user),
    isNewUser: false,
    provider: "email",
  });
}

/**
 * Leaves an account whose address is now proven to its owner alone: the password, identities and sessions it had may
 * be those of somebody who signed up with an address that was not theirs. Returns the sessions that ended.
 */
export async function dropUnproven(
  tx: Parameters<typeof store.markVerified>[0],
  appId: string,
  userId: string,
  passwordHash: string | null,
): Promise<string[]> {
  await store.updatePassword(tx, userId, passwordHash);
  await store.deleteIdentities(tx, userId);
  return sessions.deleteSessions(tx, { appId, userId }, { id: null });
}
