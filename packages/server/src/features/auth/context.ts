import type { Platform } from "../../engines/platform.ts";
import type { AppsService } from "../apps/service.ts";
import type { Letter, MailService } from "../mail/service.ts";
import type { Signal } from "./events.ts";
import type { OneTimeCodes } from "./one-time-codes.ts";
import type { PasswordHasher } from "./password-hasher.ts";
import type { AuthRates } from "./rate-limits.ts";
import type { Sessions } from "./sessions.ts";
import type { UserView } from "./user-view.ts";

/** Something that happened to a user, for hooks and for features that follow users. */
export interface AuthEvent {
  readonly appId: string;
  readonly event: "signup" | "login" | "oauth_login" | "magic_link_login" | "email_verified";
  readonly user: UserView;
  readonly isNewUser: boolean;
  /** email, magic_link, or an OAuth provider. */
  readonly provider: string;
}

/** What every flow of end-user auth works with. */
export interface AuthContext {
  readonly platform: Platform;
  readonly apps: AppsService;
  readonly mail: MailService;
  readonly codes: OneTimeCodes;
  readonly hasher: PasswordHasher;
  readonly rates: AuthRates;
  readonly sessions: Sessions;
  readonly happened: Signal<[AuthEvent]>;
}

/** Whether the app lets only users with a verified address in. */
export async function requiresVerification({ apps }: AuthContext, appId: string): Promise<boolean> {
  return (await apps.config(appId)).auth_config.require_email_verification === true;
}

export const sendLetter = (
  { mail }: AuthContext,
  to: { appId: string; email: string; kind: string },
  letter: Letter,
): Promise<void> => mail.send({ appId: to.appId, to: to.email, kind: to.kind, ...letter });
