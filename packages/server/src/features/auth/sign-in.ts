import { newUuid } from "../../kernel/ids.ts";
import type { AppCall } from "../../kernel/operation.ts";
import { type AuthContext, requiresVerification, sendLetter } from "./context.ts";
import { authErrors } from "./errors.ts";
import { magicLetter } from "./letters.ts";
import type { TokenAnswer } from "./sessions.ts";
import { dropUnproven } from "./sign-up.ts";
import * as store from "./store.ts";
import { userView } from "./user-view.ts";

/** Signs in by password. Unknown addresses, users without a password and wrong passwords look and last the same. */
export async function logIn(
  context: AuthContext,
  call: AppCall,
  { email, password }: { email: string; password: string },
): Promise<TokenAnswer> {
  const { platform, hasher, rates, sessions, happened } = context;
  const appId = call.app.id;
  await rates.address("login", { appId, ip: call.ip });
  await rates.account("login", appId, email);
  const user = await store.selectUserByEmail(platform.database, appId, email);
  const matches = await hasher.verify(user?.password_hash ?? null, password);
  if (user === null || !matches) throw authErrors.AUTH_INVALID_CREDENTIALS();
  if (!user.email_verified && (await requiresVerification(context, appId))) {
    throw authErrors.AUTH_EMAIL_NOT_VERIFIED();
  }
  const answer = await sessions.open(appId, user, {
    method: "password",
    ip: call.ip,
    userAgent: call.userAgent,
  });
  happened.emit({ appId, event: "login", user: userView(user), isNewUser: false, provider: "email" });
  return answer;
}

/** Mails a sign-in code. What happens is the same for every address: who is new becomes a user by entering it. */
export async function sendMagicCode(context: AuthContext, call: AppCall, email: string): Promise<void> {
  const { codes, rates } = context;
  const appId = call.app.id;
  await rates.address("magicLink", { appId, ip: call.ip });
  await rates.account("mail", appId, email);
  const { code } = await codes.issue({ appId, email, purpose: "magic" });
  await sendLetter(context, { appId, email, kind: "magic_link" }, magicLetter(call.app.name, code));
}

/** Signs in by the mailed code, which proves the address; makes the user when there is none. */
export async function signInByCode(
  context: AuthContext,
  call: AppCall,
  { email, code }: { email: string; code: string },
): Promise<TokenAnswer> {
  const { platform, codes, rates, sessions, happened } = context;
  const appId = call.app.id;
  await rates.address("magicLinkVerify", { appId, ip: call.ip });
  const proven = await codes.prove({ appId, email, purpose: "magic" }, code);
  const { user, isNewUser, ended } = await platform.database.transaction(async (tx) => {
    await codes.spend(tx, proven);
    const created = await store.insertUser(tx, appId, {
      id: newUuid(),
      email,
      email_verified: true,
      password_hash: null,
      display_name: null,
      avatar_url: null,
      provider: "magic_link",
      created_at: new Date(platform.clock()),
    });
    if (created !== null) return { user: created, isNewUser: true, ended: [] };
    const known = await store.lockUserByEmail(tx, appId, email);
    if (known === null) throw authErrors.AUTH_INVALID_CODE();
    if (known.email_verified) return { user: known, isNewUser: false, ended: [] };
    await store.markVerified(tx, known.id);
    const ids = await dropUnproven(tx, appId, known.id, null);
    return { user: { ...known, email_verified: true }, isNewUser: false, ended: ids };
  });
  sessions.ended(appId, ended);
  const answer = await sessions.open(appId, user, {
    method: "magic_link",
    ip: call.ip,
    userAgent: call.userAgent,
  });
  happened.emit({
    appId,
    event: "magic_link_login",
    user: userView(user),
    isNewUser,
    provider: "magic_link",
  });
  return answer;
}
