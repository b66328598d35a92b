import {
  closeSync,
  constants,
  fchownSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { failures } from "./errors.ts";
import type { OsIdentity } from "./identity.ts";
import { limits } from "./limits.ts";
import { SOCKET_PORT } from "./socket.ts";

/** The managed file, included at the end of postgresql.conf. */
export const managedFile = "ambit.conf";

/**
 * Settings as they are unless the caller says otherwise: no network, change capture possible, little memory, WAL
 * and log bounded. The log leaves out statements and details, which hold rows.
 */
export const defaultSettings: Readonly<Record<string, string>> = {
  listen_addresses: "",
  ssl: "off",
  password_encryption: "scram-sha-256",
  wal_level: "logical",
  max_replication_slots: String(limits.replicationSlots),
  max_wal_senders: String(limits.walSenders),
  max_slot_wal_keep_size: limits.slotWal,
  wal_sender_timeout: limits.walSenderTimeout,
  max_connections: String(limits.connections),
  shared_buffers: limits.sharedBuffers,
  jit: "off",
  autovacuum: "on",
  idle_in_transaction_session_timeout: limits.idleInTransaction,
  client_connection_check_interval: limits.clientCheck,
  timezone: "UTC",
  log_timezone: "UTC",
  logging_collector: "off",
  log_destination: "stderr",
  log_line_prefix: "%m [%p] %q%u@%d ",
  log_checkpoints: "off",
  log_error_verbosity: "terse",
  log_min_error_statement: "panic",
};

/** The managed file's text: the defaults, the caller's settings over them, and what the launcher relies on. */
export function renderConfiguration(
  settings: Readonly<Record<string, string>>,
  place: { socketDir: string; clusterName: string },
): string {
  const all: Record<string, string> = {
    ...defaultSettings,
    ...settings,
    port: String(SOCKET_PORT),
    // A list of directories: the inner quotes keep a comma in the path from splitting it.
    unix_socket_directories: `"${place.socketDir.replaceAll('"', '""')}"`,
    unix_socket_permissions: "0700",
    cluster_name: place.clusterName,
  };
  const lines = Object.entries(all).map(
    ([name, value]) => `${checkName(name)} = ${quoteSetting(name, value)}`,
  );
  return `# Written by Ambit at every start; changes made here are lost. ALTER SYSTEM wins over this file.\n${lines.join("\n")}\n`;
}

/** Writes the managed file if it differs and sees to its being included; tells whether anything changed. */
export function writeConfiguration(dataDir: string, text: string, identity: OsIdentity): boolean {
  const mainFile = join(dataDir, "postgresql.conf");
  const main = readFileSync(mainFile, "utf8");
  const included = main.includes(`\ninclude '${managedFile}'\n`);
  if (!included) writeDurably(mainFile, `${main.trimEnd()}\n\ninclude '${managedFile}'\n`, identity);
  if (included && readIfPresent(join(dataDir, managedFile)) === text) return false;
  writeDurably(join(dataDir, managedFile), text, identity);
  return true;
}

/** Replaces the access rules of a new cluster: whoever can enter the socket directory is trusted, nobody else is. */
export function writeAccessRules(dataDir: string, identity: OsIdentity): void {
  const rules =
    "# The socket's directory is closed to every other user.\nlocal all all trust\nlocal replication all trust\n";
  writeDurably(join(dataDir, "pg_hba.conf"), rules, identity);
}

/** Quotes a value as the server's configuration parser reads it (guc-file.l, GUC_scanstr). */
export function quoteSetting(name: string, value: string): string {
  if (value.includes("\0")) throw failures.settingInvalid(name);
  const escaped = value
    .replaceAll("\\", "\\\\")
    .replaceAll("'", "''")
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r");
  return `'${escaped}'`;
}

function checkName(name: string): string {
  if (!/^[a-zA-Z_][\w$]*(\.[a-zA-Z_][\w$]*)?$/.test(name)) throw failures.settingInvalid(name);
  return name;
}

/** Puts a file in place by one rename, its content on disk before; made without following links, owned by `identity`. */
function writeDurably(path: string, text: string, identity: OsIdentity): void {
  const fresh = `${path}.new`;
  rmSync(fresh, { force: true });
  const { O_WRONLY, O_CREAT, O_EXCL } = constants;
  const descriptor = openSync(fresh, O_WRONLY | O_CREAT | O_EXCL, 0o600);
  try {
    if (identity.switched) fchownSync(descriptor, identity.uid, identity.gid);
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(fresh, path);
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
