/** Stable codes of everything that can keep the embedded PostgreSQL from starting. */
export type EmbeddedPostgresErrorCode =
  | "POSTGRES_PLATFORM_UNSUPPORTED"
  | "POSTGRES_LIBC_UNSUPPORTED"
  | "POSTGRES_BINARIES_MISSING"
  | "POSTGRES_BINARIES_NOT_EXECUTABLE"
  | "POSTGRES_BINARIES_TOO_OLD"
  | "POSTGRES_STATE_DIRECTORY_UNREACHABLE"
  | "POSTGRES_STATE_DIRECTORY_NOT_WRITABLE"
  | "POSTGRES_DATA_FOREIGN_OWNER"
  | "POSTGRES_DATA_VERSION_MISMATCH"
  | "POSTGRES_DATA_NOT_A_CLUSTER"
  | "POSTGRES_SOCKET_DIRECTORY_TAKEN"
  | "POSTGRES_SETTING_INVALID"
  | "POSTGRES_USER_UNKNOWN"
  | "POSTGRES_NO_UNPRIVILEGED_USER"
  | "POSTGRES_USER_SWITCH_REFUSED"
  | "POSTGRES_DISK_FULL"
  | "POSTGRES_START_BUSY"
  | "POSTGRES_INITDB_FAILED"
  | "POSTGRES_START_FAILED";

/** A failure the operator can mend: `message` says what is wrong, `remedy` what to do, one line each. */
export class EmbeddedPostgresError extends Error {
  readonly code: EmbeddedPostgresErrorCode;
  readonly remedy: string;

  constructor(code: EmbeddedPostgresErrorCode, message: string, remedy: string, cause?: unknown) {
    super(message, { cause });
    this.name = "EmbeddedPostgresError";
    this.code = code;
    this.remedy = remedy;
  }
}

const elsewhere = "set DATABASE_URL to a PostgreSQL server of your own";

/** The catalogue: one function per failure, taking what the message has to name. */
export const failures = {
  platformUnsupported: (platform: string) =>
    new EmbeddedPostgresError(
      "POSTGRES_PLATFORM_UNSUPPORTED",
      `The embedded PostgreSQL does not run on ${platform}.`,
      `Set PG_BIN to the bin directory of an installed PostgreSQL, or ${elsewhere}.`,
    ),
  windowsUnsupported: () =>
    new EmbeddedPostgresError(
      "POSTGRES_PLATFORM_UNSUPPORTED",
      "The embedded PostgreSQL does not run on Windows.",
      `Run Ambit under WSL, or ${elsewhere}.`,
    ),
  libcUnsupported: (detail: string) =>
    new EmbeddedPostgresError(
      "POSTGRES_LIBC_UNSUPPORTED",
      `The PostgreSQL binaries do not load here (${detail}); they need glibc 2.27 or newer, musl has none.`,
      `Use an image with glibc (Debian, Ubuntu, …), set PG_BIN to a bin directory made for this system, or ${elsewhere}.`,
    ),
  binariesMissing: (name: string, cause?: unknown) =>
    new EmbeddedPostgresError(
      "POSTGRES_BINARIES_MISSING",
      `The PostgreSQL binaries are not installed: ${name} is missing.`,
      `Reinstall without --omit=optional (npm install), set PG_BIN, or ${elsewhere}.`,
      cause,
    ),
  binariesNotExecutable: (path: string, user: string) =>
    new EmbeddedPostgresError(
      "POSTGRES_BINARIES_NOT_EXECUTABLE",
      `${user} may not execute ${path}.`,
      "Point AMBIT_DATA_DIR (or PG_BIN) at a place that user can read, on a file system mounted without noexec.",
    ),
  binariesTooOld: (path: string, version: string, oldest: number) =>
    new EmbeddedPostgresError(
      "POSTGRES_BINARIES_TOO_OLD",
      `PG_BIN holds PostgreSQL ${version} (${path}); ${oldest} or newer is needed.`,
      `Point PG_BIN at a newer version, unset it to use the embedded one, or ${elsewhere}.`,
    ),
  stateDirectoryUnreachable: (stateDir: string, blockedAt: string, user: string) =>
    new EmbeddedPostgresError(
      "POSTGRES_STATE_DIRECTORY_UNREACHABLE",
      `PostgreSQL does not run as root, and ${user} cannot reach ${stateDir}: ${blockedAt} is closed to it.`,
      `Set AMBIT_DATA_DIR to a place every user can reach, such as /var/lib/ambit, or run: chmod o+x ${blockedAt}`,
    ),
  stateDirectoryNotWritable: (path: string, cause: unknown) =>
    new EmbeddedPostgresError(
      "POSTGRES_STATE_DIRECTORY_NOT_WRITABLE",
      `${path} cannot be written by this user.`,
      "Make it writable, or set AMBIT_DATA_DIR to a directory that is.",
      cause,
    ),
  dataForeignOwner: (dataDir: string, owner: number, user: number) =>
    new EmbeddedPostgresError(
      "POSTGRES_DATA_FOREIGN_OWNER",
      `${dataDir} belongs to uid ${owner}, but Ambit runs as uid ${user}.`,
      `Run Ambit as that user or as root, or set AMBIT_DATA_DIR to a directory of your own.`,
    ),
  dataOwnedByRoot: (dataDir: string) =>
    new EmbeddedPostgresError(
      "POSTGRES_DATA_FOREIGN_OWNER",
      `${dataDir} belongs to root, and PostgreSQL does not run as root.`,
      `Give it to an ordinary user, for example: chown -R postgres ${dataDir}`,
    ),
  dataVersionMismatch: (dataDir: string, found: string, expected: number) =>
    new EmbeddedPostgresError(
      "POSTGRES_DATA_VERSION_MISMATCH",
      `${dataDir} was made by PostgreSQL ${found}; the binaries are version ${expected}.`,
      `Set PG_BIN to the bin directory of PostgreSQL ${found}, or move ${dataDir} away and restore a dump into a new one.`,
    ),
  dataNotACluster: (dataDir: string) =>
    new EmbeddedPostgresError(
      "POSTGRES_DATA_NOT_A_CLUSTER",
      `${dataDir} is there, but holds no PostgreSQL cluster (no PG_VERSION).`,
      "Move it away, or set AMBIT_DATA_DIR to another directory.",
    ),
  socketDirectoryTaken: (path: string) =>
    new EmbeddedPostgresError(
      "POSTGRES_SOCKET_DIRECTORY_TAKEN",
      `The socket directory ${path} was made by somebody else.`,
      "Remove it, or set AMBIT_DATA_DIR to a shorter path so that the socket fits inside.",
    ),
  settingInvalid: (name: string) =>
    new EmbeddedPostgresError(
      "POSTGRES_SETTING_INVALID",
      `${JSON.stringify(name)} is not a PostgreSQL setting's name, or its value is not one line of text.`,
      "Correct or remove it.",
    ),
  userUnknown: (uid: number) =>
    new EmbeddedPostgresError(
      "POSTGRES_USER_UNKNOWN",
      `uid ${uid} has no entry in /etc/passwd, and PostgreSQL cannot create a cluster without one.`,
      `Add an entry for uid ${uid}, run as an existing user, or ${elsewhere}.`,
    ),
  noUnprivilegedUser: () =>
    new EmbeddedPostgresError(
      "POSTGRES_NO_UNPRIVILEGED_USER",
      "PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody.",
      `Create a system user named postgres, run Ambit as an ordinary user, or ${elsewhere}.`,
    ),
  userSwitchRefused: (cause: unknown) =>
    new EmbeddedPostgresError(
      "POSTGRES_USER_SWITCH_REFUSED",
      "PostgreSQL does not run as root, and this system lets root neither become another user nor give it files.",
      `Run Ambit as an ordinary user, allow CAP_SETUID, CAP_SETGID and CAP_CHOWN, or ${elsewhere}.`,
      cause,
    ),
  diskFull: (path: string, cause?: unknown) =>
    new EmbeddedPostgresError(
      "POSTGRES_DISK_FULL",
      `There is no space left for ${path}.`,
      "Free some space on that file system, or set AMBIT_DATA_DIR to a larger one.",
      cause,
    ),
  startBusy: (stateDir: string, pid: number) =>
    new EmbeddedPostgresError(
      "POSTGRES_START_BUSY",
      `Process ${pid} has been starting PostgreSQL in ${stateDir} for too long.`,
      `Wait for it, or end process ${pid} and start again.`,
    ),
  initdbFailed: (detail: string) =>
    new EmbeddedPostgresError(
      "POSTGRES_INITDB_FAILED",
      `The database cluster could not be created: ${detail}`,
      `Mend the cause and start again (nothing half-made is left behind), or ${elsewhere}.`,
    ),
  startFailed: (detail: string, logFile: string) =>
    new EmbeddedPostgresError(
      "POSTGRES_START_FAILED",
      `PostgreSQL did not start: ${detail}`,
      `See the end of ${logFile}; mend the cause and start again.`,
    ),
} as const;

/** Recognises what Postgres or its loader printed; undefined if the text says nothing we know a mend for. */
export function explainOutput(
  output: string,
  context: { path: string; uid: number },
): EmbeddedPostgresError | undefined {
  if (/could not look up effective user ID/i.test(output)) return failures.userUnknown(context.uid);
  if (/No space left on device|Disk quota exceeded/i.test(output)) return failures.diskFull(context.path);
  const loader =
    /^.*(?:GLIBC_|error while loading shared libraries|Error relocating|Library not loaded).*$/m.exec(output);
  if (loader) return failures.libcUnsupported(loader[0].trim());
  return undefined;
}

/** Turns a file system's refusal below `stateDir` into a mendable failure; other errors pass unchanged. */
export function explainSystemError(error: unknown, stateDir: string): unknown {
  if (error instanceof EmbeddedPostgresError || !(error instanceof Error)) return error;
  const { code, path, syscall, dest } = error as NodeJS.ErrnoException & { dest?: string };
  const place = dest ?? path ?? stateDir;
  if (code === "ENOSPC" || code === "EDQUOT") return failures.diskFull(place, error);
  if (code === "EPERM" && syscall?.includes("chown")) return failures.userSwitchRefused(error);
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    return failures.stateDirectoryNotWritable(place, error);
  }
  return error;
}

/** The line that says why, out of many lines of output: the first complaint is the cause of those after it. */
export function firstReason(output: string): string {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  const complaint = /FATAL:|PANIC:|ERROR:|error:|configuration parameter|invalid value for parameter/;
  const line = lines.find((line) => complaint.test(line)) ?? lines.at(-1) ?? "it gave no reason";
  return line.replace(/^.*?(?:LOG|FATAL|PANIC|ERROR|error): +/, "").trim();
}
