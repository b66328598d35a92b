import {
  accessSync,
  chmodSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OWNERLESS_AFTER_MS, RUNTIME_DIR_BYTES } from "./limits.ts";
import { isAlive, pidWorld, startTicksOf } from "./proc.ts";

const prefix = "ambit-rt-";

/** Who made a runtime directory; it may go when that process is gone. */
interface Owner {
  readonly pid: number;
  readonly startTicks: number | null;
  /** Pids mean something only inside their namespace and until the next boot. */
  readonly world: string;
}

/**
 * A short directory for this server's sockets, new on every start, removed at its end. Removes the ones of servers
 * that are gone.
 */
export function openRuntimeDir(bases = usualBases()): string {
  for (const base of bases) removeStale(base);
  const base = bases.find(writable) ?? tmpdir();
  const dir = mkdtempSync(join(base, prefix));
  // Others may pass through to what is theirs further down, and see nothing on the way.
  chmodSync(dir, 0o711);
  const owner: Owner = { pid: process.pid, startTicks: startTicksOf(process.pid), world: pidWorld() };
  writeFileSync(join(dir, "owner"), JSON.stringify(owner), { mode: 0o600 });
  if (!watched) process.once("exit", removeMine);
  watched = true;
  mine.add(dir);
  return dir;
}

const mine = new Set<string>();
let watched = false;

function removeMine(): void {
  for (const dir of mine) closeRuntimeDir(dir);
}

/** Removes it, with what processes that were not ended may still hold in it. */
export function closeRuntimeDir(dir: string): void {
  mine.delete(dir);
  rmSync(dir, { recursive: true, force: true });
}

/** A directory for one process in it: passable, empty. */
export function makeProcessDir(runtimeDir: string, number: number): string {
  const dir = join(runtimeDir, `${number}`);
  mkdirSync(dir);
  // Not by mkdir, whose mode the umask narrows.
  chmodSync(dir, 0o711);
  return dir;
}

function usualBases(): string[] {
  const first = process.getuid?.() === 0 ? ["/run"] : [process.env.XDG_RUNTIME_DIR ?? ""];
  return [...first, tmpdir(), "/tmp"].filter(
    (path) => path.startsWith("/") && Buffer.byteLength(path) + prefix.length + 7 <= RUNTIME_DIR_BYTES,
  );
}

function writable(dir: string): boolean {
  try {
    accessSync(dir, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function removeStale(base: string): void {
  for (const name of names(base)) {
    const dir = join(base, name);
    try {
      if (name.startsWith(prefix) && isStale(dir)) rmSync(dir, { recursive: true, force: true });
    } catch {
      // Another server clears away at the same moment, or it may not be ours to clear.
    }
  }
}

function isStale(dir: string): boolean {
  const found = statSync(dir, { throwIfNoEntry: false });
  if (!found || found.uid !== process.getuid?.()) return false;
  const owner = ownerOf(dir);
  // Being made by a server that starts right now, or left by one that was killed while it removed it.
  if (!owner) return Date.now() - found.ctimeMs > OWNERLESS_AFTER_MS;
  if (owner.world !== pidWorld()) return owner.world.split(" ")[0] !== pidWorld().split(" ")[0];
  return !isAlive(owner.pid) || startTicksOf(owner.pid) !== owner.startTicks;
}

function ownerOf(dir: string): Owner | null {
  try {
    return JSON.parse(readFileSync(join(dir, "owner"), "utf8")) as Owner;
  } catch {
    return null;
  }
}

function names(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
