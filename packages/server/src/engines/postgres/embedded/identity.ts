import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { failures } from "./errors.ts";

/** The operating system's user PostgreSQL runs as. */
export interface OsIdentity {
  readonly uid: number;
  readonly gid: number;
  /** True if Ambit is root and has to hand files over and spawn as this user. */
  readonly switched: boolean;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What the choice depends on. */
export interface IdentityFacts {
  readonly self: Owner;
  readonly dataDir: string;
  /** Owner of the data directory, if there is one. */
  readonly dataOwner: Owner | undefined;
  /** Looks a user up by name or uid. */
  readonly account: (user: string | number) => Owner | undefined;
}

/**
 * PostgreSQL refuses to run as root. An ordinary user runs it as itself; root hands it to the owner of an
 * existing data directory, else to `postgres`, else to `nobody`. Throws if the data belong to someone else.
 */
export function chooseIdentity(facts: IdentityFacts): OsIdentity {
  const { self, dataOwner, dataDir, account } = facts;
  if (self.uid !== 0) {
    if (dataOwner && dataOwner.uid !== self.uid)
      throw failures.dataForeignOwner(dataDir, dataOwner.uid, self.uid);
    return { ...self, switched: false };
  }
  if (dataOwner) {
    if (dataOwner.uid === 0) throw failures.dataOwnedByRoot(dataDir);
    // A directory of group root must not make PostgreSQL a member of that group.
    const gid = dataOwner.gid !== 0 ? dataOwner.gid : (account(dataOwner.uid)?.gid ?? dataOwner.uid);
    return { uid: dataOwner.uid, gid, switched: true };
  }
  const found = account("postgres") ?? account("nobody");
  if (!found || found.uid === 0) throw failures.noUnprivilegedUser();
  return { ...found, switched: true };
}

/** Looks a user up in /etc/passwd, and by `id` where users come from somewhere else. */
export function findAccount(user: string | number): Owner | undefined {
  let passwd = "";
  try {
    passwd = readFileSync("/etc/passwd", "utf8");
  } catch {
    // Some minimal images have none; `id` below then decides.
  }
  const local = findInPasswd(passwd, user);
  if (local || typeof user === "number") return local;
  const [uid, gid] = ["-u", "-g"].map((flag) => spawnSync("id", [flag, user], { encoding: "utf8" }));
  if (uid?.status !== 0 || gid?.status !== 0) return undefined;
  return { uid: unsigned(uid.stdout), gid: unsigned(gid.stdout) };
}

/** The line of a passwd(5) file for this name or uid. */
export function findInPasswd(passwd: string, user: string | number): Owner | undefined {
  for (const line of passwd.split("\n")) {
    const [name, , uid, gid] = line.split(":");
    if (!name || !uid || !gid) continue;
    if (name === user || unsigned(uid) === user) return { uid: unsigned(uid), gid: unsigned(gid) };
  }
  return undefined;
}

/** How an identity is named in messages. */
export function describeIdentity(identity: OsIdentity): string {
  return `uid ${identity.uid}`;
}

/** macOS writes the uid of `nobody` as -2. */
function unsigned(text: string): number {
  return Number.parseInt(text, 10) >>> 0;
}
