import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { appUser, type OsUser } from "../../workerd/sandbox/index.ts";

/** Below what a rootless container maps (65,536), above what distributions give to accounts. */
const FIRST_SMALL = 40_000;
const SMALL_COUNT = 20_000;

/** Whose id a server's programs run under, or why they can't be run. */
export type UserChoice =
  | { readonly kind: "own"; readonly user: OsUser }
  /** Ambit is no root: they run as Ambit does. */
  | { readonly kind: "self" }
  | { readonly kind: "impossible"; readonly why: string };

/**
 * Root gives each server a user of its own: the same on every start, used by nobody else. `uidMap` is what
 * /proc/self/uid_map says: in a rootless container only some ids exist. Pure.
 */
export function serverUser(serverId: string, uid: number, uidMap: string): UserChoice {
  if (uid !== 0) return { kind: "self" };
  const far = appUser(`mcp ${serverId}`);
  if (isMapped(uidMap, far.uid)) return { kind: "own", user: far };
  const number = createHash("sha256").update(`mcp ${serverId}`).digest().readUInt32BE(0);
  const near = FIRST_SMALL + (number % SMALL_COUNT);
  if (isMapped(uidMap, near)) return { kind: "own", user: { uid: near, gid: near } };
  return {
    kind: "impossible",
    why: "Ambit runs as root where there are no other users, so a program could not be kept from Ambit's files. Run Ambit as an ordinary user, or give the container more user ids.",
  };
}

/** Lines of `inside outside count`; without any (no such file) every id exists. */
function isMapped(uidMap: string, uid: number): boolean {
  const lines = uidMap.trim().split("\n").filter(Boolean);
  if (lines.length === 0) return true;
  return lines.some((line) => {
    const [first = 0, , count = 0] = line.trim().split(/\s+/).map(Number);
    return uid >= first && uid < first + count;
  });
}

export function readUidMap(): string {
  try {
    return readFileSync("/proc/self/uid_map", "utf8");
  } catch {
    return "";
  }
}
