import { SignJWT } from "jose";
import { masterKey } from "../../../packages/server/src/data-directory.ts";
import type { Platform } from "../../../packages/server/src/engines/platform.ts";
import { Database } from "../../../packages/server/src/engines/postgres/database.ts";
import {
  createSigningKeys,
  SIGNING_ALGORITHM,
} from "../../../packages/server/src/features/auth/signing-keys.ts";
import { systemClock } from "../../../packages/server/src/kernel/clock.ts";
import { newUuid } from "../../../packages/server/src/kernel/ids.ts";
import { createLog } from "../../../packages/server/src/kernel/log.ts";
import { Secrets } from "../../../packages/server/src/kernel/secrets.ts";
import { postgresAddress, withSuperuser } from "../../harness/postgres.ts";

/** A signed-in end user of the app. */
export interface Identity {
  readonly id: string;
  readonly token: string;
}

const LIVES_S = 3_600;
/** Users of one tenant. */
export const TENANT_SIZE = 100;

/**
 * Makes users with sessions straight in the database, and signs their tokens with the app's own key: to sign up ten
 * thousand would take minutes, since that is slow on purpose. User n has the claim `tenant` with n ÷ 100.
 */
export async function makeIdentities(dataDir: string, appId: string, count: number): Promise<Identity[]> {
  const users = Array.from({ length: count }, () => ({ id: newUuid(), sid: newUuid() }));
  const ids = users.map(({ id }) => id);
  const sids = users.map(({ sid }) => sid);
  await withSuperuser(dataDir, async (client) => {
    await client.query(
      `insert into ambit.auth_users (id, app_id, email, email_verified, provider, created_at)
       select id, $2, id || '@example.com', true, 'email', now() from unnest($1::uuid[]) id`,
      [ids, appId],
    );
    await client.query(
      `insert into ambit.auth_sessions (id, app_id, user_id, method, ip_address, user_agent, created_at, last_used_at, expires_at)
       select sid, $3, id, 'email', '', '', now(), now(), now() + interval '1 day'
       from unnest($1::uuid[], $2::uuid[]) as u (id, sid)`,
      [ids, sids, appId],
    );
  });
  const { signing } = await appKeys(dataDir, appId);
  const issuedAtS = Math.floor(Date.now() / 1_000);
  return Promise.all(
    users.map(async ({ id, sid }, index) => ({
      id,
      token: await new SignJWT({
        ...{ sub: id, email: `${id}@example.com`, email_verified: true, app_id: appId, role: "user", sid },
        ...{ iat: issuedAtS, exp: issuedAtS + LIVES_S, iss: `butterbase:app:${appId}` },
        tenant: String(Math.floor(index / TENANT_SIZE)),
      })
        .setProtectedHeader({ alg: SIGNING_ALGORITHM, kid: signing.kid, typ: "JWT" })
        .sign(signing.privateKey),
    })),
  );
}

/** The app's keys, read as the server reads them. */
async function appKeys(dataDir: string, appId: string) {
  const log = createLog("silent");
  const database = new Database({ ...postgresAddress(dataDir), user: "postgres" }, () => "", log);
  try {
    const platform = { database, log, clock: systemClock, secrets: new Secrets(masterKey(dataDir, null)) };
    return await createSigningKeys(platform as unknown as Platform).of(appId);
  } finally {
    await database.close();
  }
}
