import {
  chmodSync,
  chownSync,
  closeSync,
  lchownSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { OsUser } from "../sandbox/index.ts";
import type { ProgramKey } from "../types.ts";
import { makeProcessDir } from "./runtime-dir.ts";

/** Where the files of one process lie. */
export interface Layout {
  /** Goes away with the process. */
  readonly runDir: string;
  readonly socketsDir: string;
  readonly configPath: string;
  readonly storageDir: string;
  readonly lock: string | null;
  readonly stage: { readonly storageDir: string; readonly binary: string };
}

/** `<dataDir>/<app id>/<kind>`: what outlives the processes of a program. */
export function programDir(dataDir: string, key: ProgramKey): string {
  return join(dataDir, key);
}

/** Makes the directories. `user` gets the storage and the sockets to itself; Ambit as root sees everything anyway. */
export function makeLayout(
  runtimeDir: string,
  number: number,
  options: { key: ProgramKey; dataDir: string; storage: "own" | "empty" },
  user: OsUser | null,
): Layout {
  const runDir = makeProcessDir(runtimeDir, number);
  const own = options.storage === "own" ? makeProgramDir(options.dataDir, options.key, user) : null;
  const storageDir = join(own ?? runDir, "storage");
  const socketsDir = join(runDir, "s");
  const stage = { storageDir: join(runDir, "stage"), binary: join(runDir, "workerd") };
  for (const dir of [storageDir, socketsDir]) makePrivate(dir, user);
  const lock = own ? join(own, "lock") : null;
  // Reading is enough to lock a file, so nobody else may.
  if (lock) closeSync(openSync(lock, "a", 0o600));
  mkdirSync(stage.storageDir, { mode: 0o700 });
  writeFileSync(stage.binary, "", { mode: 0o700 });
  return {
    runDir,
    socketsDir,
    configPath: join(runDir, "config.capnp"),
    storageDir,
    lock,
    stage,
  };
}

/** The configuration holds the app's variables: only its user may read it. */
export function writeConfig(layout: Layout, text: string, user: OsUser | null): void {
  writeFileSync(layout.configPath, text, { mode: 0o400 });
  if (user) chownSync(layout.configPath, user.uid, user.gid);
}

/** Whether somebody else than root is kept from a path by a directory above it. */
export function isHidden(path: string): boolean {
  for (let dir = dirname(path); ; dir = dirname(dir)) {
    if ((statSync(dir).mode & 0o001) === 0) return true;
    if (dir === dirname(dir)) return false;
  }
}

/** Passable on the way to what is the app user's. Absolute and without links: the process sees other directories. */
function makeProgramDir(dataDir: string, key: ProgramKey, user: OsUser | null): string {
  const dir = programDir(dataDir, key);
  const mode = user ? 0o711 : 0o700;
  for (const part of [dataDir, dirname(dir), dir]) {
    mkdirSync(part, { recursive: true, mode });
    const found = statSync(part);
    if (found.uid === process.getuid?.() && (found.mode & 0o777) !== mode) chmodSync(part, mode);
  }
  return realpathSync(dir);
}

function makePrivate(dir: string, user: OsUser | null): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  if (user && statSync(dir).uid !== user.uid) giveTo(dir, user);
  if ((statSync(dir).mode & 0o777) !== 0o700) chmodSync(dir, 0o700);
}

/** With all it holds: the data may come from a server that ran as another user, or from a backup. */
function giveTo(path: string, user: OsUser): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) giveTo(join(path, entry.name), user);
    else lchownSync(join(path, entry.name), user.uid, user.gid);
  }
  // Last, so that a change broken off half way is begun anew the next time.
  lchownSync(path, user.uid, user.gid);
}
