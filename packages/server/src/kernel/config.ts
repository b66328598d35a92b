import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";

/** What the operator decided, from the environment. Every variable has a default that works on one machine. */
export interface Config {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly dataDir: string;
  /** Base of every URL handed out; null until the port is known. */
  readonly publicUrl: string | null;
  readonly baseDomain: string;
  readonly databaseUrl: string | null;
  /** A mightier login to the same database, used at the start only, to make the tables that only grow. */
  readonly adminDatabaseUrl: string | null;
  readonly masterKey: Buffer | null;
  readonly defaultAccess: "public" | "authenticated";
  readonly logLevel: string;
  /** How many reverse proxies in front of Ambit may be believed about the caller's address. */
  readonly trustedProxies: number;
  /** `host:port` of private addresses that requests made on someone's behalf may go to all the same. */
  readonly allowPrivateFetch: readonly string[];
  /** Programs that may be started as MCP servers: absolute paths, or bare names to be looked up in PATH. */
  readonly stdioAllow: readonly string[];
  /** How far back realtime clients can come back without loading afresh, in milliseconds. */
  readonly realtimeWindowMs: number;
  /** Bytes of write-ahead log kept for that at most. */
  readonly realtimeWindowBytes: number;
  /** Bytes of memory each node holds of it at most. */
  readonly realtimeWindowMemoryBytes: number;
  readonly smtpUrl: string | null;
  readonly mailFrom: string;
}

/** Bad configuration: one line that names the variable and the mend. */
export class ConfigError extends Error {
  constructor(variable: string, problem: string, mend: string) {
    super(`${variable} ${problem}. ${mend}`);
    this.name = "ConfigError";
  }
}

const MIB = 1024 * 1024;

type Env = Readonly<Record<string, string | undefined>>;

/** Reads the configuration; throws ConfigError on the first variable that can't be used. */
export function readConfig(env: Env, isRoot = process.getuid?.() === 0): Config {
  return {
    host: readHost(env),
    port: readNumber(env, "AMBIT_PORT", 4000, 0, 65_535),
    dataDir: dataDirectory(env, isRoot),
    publicUrl: readUrl(env, "AMBIT_PUBLIC_URL", ["http:", "https:"]),
    baseDomain: readBaseDomain(env),
    databaseUrl: readUrl(env, "DATABASE_URL", ["postgres:", "postgresql:"], false),
    adminDatabaseUrl: readUrl(env, "AMBIT_ADMIN_DATABASE_URL", ["postgres:", "postgresql:"], false),
    masterKey: env.AMBIT_MASTER_KEY ? parseMasterKey("AMBIT_MASTER_KEY", env.AMBIT_MASTER_KEY) : null,
    defaultAccess: readChoice(env, "AMBIT_DEFAULT_ACCESS", ["public", "authenticated"]),
    logLevel: readChoice(env, "AMBIT_LOG_LEVEL", ["warn", "info", "debug", "trace", "error", "silent"]),
    trustedProxies: readNumber(env, "AMBIT_TRUSTED_PROXIES", 0, 0, 10),
    allowPrivateFetch: readHostPorts(env, "AMBIT_ALLOW_PRIVATE_FETCH"),
    stdioAllow: readCommands(env, "AMBIT_STDIO_ALLOW"),
    realtimeWindowMs: readNumber(env, "AMBIT_REALTIME_WINDOW_MS", 10 * 60_000, 1_000, 24 * 3_600_000),
    realtimeWindowBytes: readNumber(env, "AMBIT_REALTIME_WINDOW_BYTES", 256 * MIB, MIB, 65_536 * MIB),
    realtimeWindowMemoryBytes: readNumber(
      env,
      "AMBIT_REALTIME_WINDOW_MEMORY_BYTES",
      64 * MIB,
      MIB,
      16_384 * MIB,
    ),
    smtpUrl: readUrl(env, "AMBIT_SMTP_URL", ["smtp:", "smtps:"], false),
    mailFrom: env.AMBIT_MAIL_FROM || "Ambit <no-reply@localhost>",
  };
}

/** 32 bytes as 64 hexadecimal digits or as base64. */
export function parseMasterKey(source: string, text: string): Buffer {
  const trimmed = text.trim();
  const key = /^[0-9a-f]{64}$/i.test(trimmed) ? Buffer.from(trimmed, "hex") : Buffer.from(trimmed, "base64");
  if (key.length !== 32) {
    throw new ConfigError(source, "does not hold 32 bytes", "Make one with: openssl rand -hex 32");
  }
  return key;
}

/** The version of this server, from its package file. */
export const VERSION: string = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
).version;

/** Where the database, the keys and the credentials are. */
export function dataDirectory(env: Env, isRoot = process.getuid?.() === 0): string {
  if (env.AMBIT_DATA_DIR) return resolve(env.AMBIT_DATA_DIR);
  if (isRoot) return "/var/lib/ambit";
  return join(env.XDG_DATA_HOME || join(homedir(), ".local", "share"), "ambit");
}

function readHost(env: Env): string {
  const host = env.AMBIT_HOST || "127.0.0.1";
  if (/[\s/]/.test(host)) {
    throw new ConfigError(
      "AMBIT_HOST",
      `is not a host name or address: ${host}`,
      "Use for example 127.0.0.1 or 0.0.0.0.",
    );
  }
  return host;
}

function readBaseDomain(env: Env): string {
  const domain = (env.AMBIT_BASE_DOMAIN || "localhost").toLowerCase();
  if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(domain)) {
    throw new ConfigError(
      "AMBIT_BASE_DOMAIN",
      `is not a domain name: ${domain}`,
      "Use a bare name such as localhost or apps.example.com, without scheme or port.",
    );
  }
  return domain;
}

const readList = (env: Env, name: string): string[] =>
  (env[name] ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");

function readCommands(env: Env, name: string): string[] {
  const parts = readList(env, name);
  for (const part of parts) {
    // A relative path would mean another program in every directory.
    if (part.includes("\0") || (part.includes("/") && !isAbsolute(part)) || part === "." || part === "..") {
      throw new ConfigError(
        name,
        `has an entry that is neither an absolute path nor a bare name: ${part}`,
        "Separate commands with commas, e.g. npx,/usr/local/bin/server.",
      );
    }
  }
  return parts;
}

function readHostPorts(env: Env, name: string): string[] {
  const parts = readList(env, name);
  for (const part of parts) {
    if (!/^(\[[0-9a-f:.]+\]|[a-z0-9.-]+):\d{1,5}$/i.test(part)) {
      throw new ConfigError(
        name,
        `has an entry that is not host:port: ${part}`,
        "Separate entries with commas, e.g. 10.0.0.5:8080.",
      );
    }
  }
  return parts;
}

function readNumber(env: Env, name: string, fallback: number, least: number, most: number): number {
  const text = env[name];
  if (text === undefined || text === "") return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new ConfigError(
      name,
      `must be a whole number from ${least} to ${most}, not ${text}`,
      `Unset it for ${fallback}.`,
    );
  }
  return value;
}

function readChoice<const T extends string>(env: Env, name: string, choices: readonly [T, ...T[]]): T {
  const text = env[name] || choices[0];
  if (!choices.includes(text as T)) {
    throw new ConfigError(
      name,
      `must be one of ${choices.join(", ")}, not ${text}`,
      `Unset it for ${choices[0]}.`,
    );
  }
  return text as T;
}

function readUrl(env: Env, name: string, protocols: readonly string[], trim = true): string | null {
  const text = env[name];
  if (!text) return null;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !protocols.includes(url.protocol)) {
    const example = name.endsWith("DATABASE_URL")
      ? "postgres://user:password@host:5432/database"
      : `${protocols[0]}//host.example`;
    throw new ConfigError(name, "is not a usable URL", `It must look like ${example}.`);
  }
  return trim ? text.replace(/\/+$/, "") : text;
}
