import { isReservedEnv } from "../../kernel/env-names.ts";
import type { Secrets } from "../../kernel/secrets.ts";
import { functionErrors } from "./errors.ts";
import { limits } from "./limits.ts";

/** Puts changes into sealed variables: null removes one. @throws VALIDATION_ERROR, QUOTA_ENV_LIMIT */
export function sealEnv(
  secrets: Secrets,
  functionId: string,
  sealed: Readonly<Record<string, string>>,
  changes: Readonly<Record<string, string | null>>,
): Record<string, string> {
  const next: Record<string, string> = { ...sealed };
  for (const [name, value] of Object.entries(changes)) {
    if (isReservedEnv(name)) {
      throw functionErrors.VALIDATION_ERROR({
        message: `${name}: names that begin with BUTTERBASE_ or AMBIT_ are set by the server.`,
        remediation: "Choose another name.",
        details: { reason: "RESERVED_ENV_KEY", key: name },
      });
    }
    if (value === null) delete next[name];
    else next[name] = secrets.seal("function-env", value, `${functionId}/${name}`);
  }
  if (Object.keys(next).length > limits.envVariables) throw functionErrors.QUOTA_ENV_LIMIT();
  return next;
}

export const openEnv = (
  secrets: Secrets,
  functionId: string,
  sealed: Readonly<Record<string, string>>,
): Record<string, string> =>
  Object.fromEntries(
    Object.entries(sealed).map(([name, value]) => [
      name,
      secrets.open("function-env", value, `${functionId}/${name}`),
    ]),
  );

export const sealWebhookSecret = (secrets: Secrets, functionId: string, secret: string): string =>
  secrets.seal("function-webhook", secret, functionId);

export const openWebhookSecret = (secrets: Secrets, functionId: string, sealed: string): string =>
  secrets.open("function-webhook", sealed, functionId);
