import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { type EmbeddedPostgresError, failures } from "./errors.ts";
import { describeIdentity, type OsIdentity } from "./identity.ts";
import { limits } from "./limits.ts";

export interface CommandResult {
  readonly ok: boolean;
  readonly stdout: string;
  /** Both streams, for messages. */
  readonly output: string;
}

/**
 * The whole environment of PostgreSQL's processes. Ambit's own is not passed on: it holds secrets, and SQL
 * running as a superuser can read a server's environment.
 */
export const serverEnvironment: NodeJS.ProcessEnv = {
  PATH: "/usr/bin:/bin",
  LANG: "C",
  LC_ALL: "C",
  TZ: "UTC",
};

/** How to spawn as this identity; the working directory is one every user may enter. */
export function spawnAs(identity: OsIdentity): {
  cwd: string;
  env: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
} {
  const base = { cwd: "/", env: serverEnvironment };
  return identity.switched ? { ...base, uid: identity.uid, gid: identity.gid } : base;
}

/** Runs one of PostgreSQL's programs to its end. Throws a mendable failure if it cannot be executed at all. */
export function runCommand(
  program: string,
  args: readonly string[],
  identity: OsIdentity,
  timeoutMs: number,
): Promise<CommandResult> {
  const options = { ...spawnAs(identity), timeout: timeoutMs, killSignal: "SIGKILL" as const };
  return new Promise((resolve, reject) => {
    const settle = (error: Error | null, stdout: string, stderr: string): void => {
      const code = (error as NodeJS.ErrnoException | null)?.code as string | number | null | undefined;
      if (typeof code === "string") reject(explainSpawnError(error as Error, program, identity));
      else resolve({ ok: error === null, stdout, output: (stdout + stderr).slice(-limits.diagnosticBytes) });
    };
    try {
      execFile(program, [...args], { ...options, maxBuffer: 64 * limits.diagnosticBytes }, settle);
    } catch (error) {
      // A refused change of user is thrown, not reported.
      settle(error as Error, "", "");
    }
  });
}

/** Why a program could not be executed. */
export function explainSpawnError(
  error: Error,
  program: string,
  identity: OsIdentity,
): Error | EmbeddedPostgresError {
  switch ((error as NodeJS.ErrnoException).code) {
    case "EPERM":
      return failures.userSwitchRefused(error);
    case "EACCES":
      return failures.binariesNotExecutable(program, describeIdentity(identity));
    case "ENOENT":
      // The file is there, but the loader it names is not: another C library.
      return existsSync(program)
        ? failures.libcUnsupported("no loader")
        : failures.binariesMissing(program, error);
    default:
      return error;
  }
}
