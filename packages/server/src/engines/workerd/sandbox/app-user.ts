import { createHash } from "node:crypto";

export interface OsUser {
  readonly uid: number;
  readonly gid: number;
}

/** The user that owns nothing; shared by all apps where uids of their own are out of reach. */
export const nobody: OsUser = { uid: 65534, gid: 65534 };

// Above what distributions, systemd and container managers hand out (they end at 1 879 048 191), below 2^31.
const first = 2_000_000_000;
const count = 100_000_000;

/** A user id of the app's own: the same on every start, used by nobody else. */
export function appUser(appId: string): OsUser {
  const uid = first + (createHash("sha256").update(appId).digest().readUInt32BE(0) % count);
  return { uid, gid: uid };
}
