import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  mkdirSync,
  openSync,
  rmdirSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { firstBlocked } from "./access.ts";
import { failures } from "./errors.ts";
import type { OsIdentity } from "./identity.ts";
import { limits } from "./limits.ts";

/** The port is part of the socket's name only; nothing listens on the network. */
export const SOCKET_PORT = 5432;

/** The socket of a server in this directory. */
export function socketPath(socketDir: string, port: number): string {
  return join(socketDir, `.s.PGSQL.${port}`);
}

/** Eight hexadecimal digits that stand for a state directory wherever a name must be short. */
export function shortName(stateDir: string): string {
  return createHash("sha256").update(stateDir).digest("hex").slice(0, 8);
}

/**
 * The socket directory: inside the state directory if the socket's path is short enough there, else in the first
 * of `temporaryDirs` that is.
 */
export function chooseSocketDir(stateDir: string, temporaryDirs: readonly string[]): string {
  const inside = join(stateDir, "postgres.socket");
  const fallbacks = temporaryDirs.map((directory) => join(directory, `ambit-${shortName(stateDir)}`));
  const fits = (directory: string): boolean =>
    Buffer.byteLength(socketPath(directory, SOCKET_PORT)) <= limits.socketPathBytes;
  return [inside, ...fallbacks].find(fits) ?? inside;
}

/** Directories for temporary files that PostgreSQL's user can reach. */
export function temporaryDirs(identity: OsIdentity): string[] {
  const existing = [tmpdir(), "/tmp"].filter((directory) => existsSync(directory));
  return existing.filter((directory) => !identity.switched || !firstBlocked(directory, identity));
}

/**
 * Makes the socket directory, closed to everybody but PostgreSQL's user: connections are trusted, so whoever can
 * enter is a superuser. A directory somebody else prepared is refused.
 */
export function prepareSocketDir(socketDir: string, identity: OsIdentity): void {
  mkdirSync(socketDir, { recursive: true, mode: 0o700 });
  const descriptor = openDirectory(socketDir);
  try {
    const { uid, mode } = fstatSync(descriptor);
    if (uid !== identity.uid && uid !== process.getuid?.()) throw failures.socketDirectoryTaken(socketDir);
    if (uid !== identity.uid) fchownSync(descriptor, identity.uid, identity.gid);
    if ((mode & 0o777) !== 0o700) fchmodSync(descriptor, 0o700);
  } finally {
    closeSync(descriptor);
  }
}

/** Removes the socket directory after a stop; one that is not empty stays. */
export function removeSocketDir(socketDir: string): void {
  try {
    rmdirSync(socketDir);
  } catch {
    // Somebody put something there, or it is gone already: neither hinders the next start.
  }
}

/** Opens without following a symbolic link, so that nobody can point us at another directory. */
function openDirectory(socketDir: string): number {
  try {
    return openSync(socketDir, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch {
    throw failures.socketDirectoryTaken(socketDir);
  }
}
