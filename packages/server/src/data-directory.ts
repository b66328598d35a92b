import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { ConfigError, parseMasterKey } from "./kernel/config.ts";

/** What `<data dir>/credentials.json` holds. Keys are there on the node that initialised the database. */
export interface Credentials {
  api_url: string;
  mcp_url: string;
  api_key: string | null;
  agent_key: string | null;
}

/** Makes the data directory if need be. Its parent stays reachable for the account Postgres runs as. */
export function ensureDataDirectory(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o755 });
    const probe = join(dataDir, `.probe-${process.pid}`);
    closeSync(openSync(probe, "w", 0o600));
    rmSync(probe);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError(
      "AMBIT_DATA_DIR",
      `can't be written (${dataDir}: ${code})`,
      "Name a directory this user may create and write.",
    );
  }
}

/** The master key: the operator's, else the one in `<data dir>/master.key`, made on first boot. */
export function masterKey(dataDir: string, configured: Buffer | null): Buffer {
  if (configured !== null) return configured;
  const path = join(dataDir, "master.key");
  if (!existsSync(path)) writeExclusively(path, `${randomBytes(32).toString("hex")}\n`);
  return parseMasterKey(path, readFileSync(path, "utf8"));
}

export function readCredentials(dataDir: string): Partial<Credentials> {
  const path = join(dataDir, "credentials.json");
  if (!existsSync(path)) return {};
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    throw new ConfigError(
      path,
      "is not valid JSON",
      "Mend it, or move it away: the keys in it can't be recovered.",
    );
  }
}

/** Replaces `credentials.json` as a whole, durable and readable for its owner alone. */
export function writeCredentials(dataDir: string, credentials: Credentials): void {
  const path = join(dataDir, "credentials.json");
  const next = `${path}.${process.pid}`;
  writeDurably(next, `${JSON.stringify(credentials, null, 2)}\n`);
  renameSync(next, path);
}

function writeDurably(path: string, text: string): void {
  const file = openSync(path, "w", 0o600);
  try {
    chmodSync(path, 0o600);
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Creates the file unless another process was first; never half a file. */
function writeExclusively(path: string, text: string): void {
  const next = `${path}.${process.pid}`;
  writeDurably(next, text);
  try {
    linkSync(next, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(next, { force: true });
  }
}
