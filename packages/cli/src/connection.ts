import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { Problem } from "./problem.ts";

/** A server to talk to. */
export interface Connection {
  /** Its MCP endpoint. */
  readonly url: string;
  readonly key: string;
}

/** What the command line says about the connection; the environment and the data directory fill in the rest. */
export interface ConnectionFlags {
  readonly url?: string | undefined;
  readonly key?: string | undefined;
  readonly "data-dir"?: string | undefined;
  /** Use the person's key of the data directory instead of the agent's. */
  readonly person?: boolean | undefined;
}

export type Env = Readonly<Record<string, string | undefined>>;

interface Credentials {
  readonly mcp_url?: unknown;
  readonly api_key?: unknown;
  readonly agent_key?: unknown;
}

/**
 * The MCP endpoint: flag, AMBIT_MCP_URL, or the data directory's `credentials.json`. Throws Problem when none of them
 * names one.
 */
export function findUrl(flags: ConnectionFlags, env: Env): string {
  const directory = dataDirectory(flags, env);
  const url = flags.url ?? env.AMBIT_MCP_URL ?? textIn(readCredentials(directory).mcp_url);
  if (url === undefined) {
    throw new Problem(
      `No server is known: ${directory} has no credentials.json. Start Ambit, or set AMBIT_MCP_URL.`,
    );
  }
  if (!URL.canParse(url)) throw new Problem(`${url} is not a URL; it looks like http://127.0.0.1:4000/mcp.`);
  return url;
}

/**
 * Endpoint and key: flags, AMBIT_MCP_URL and AMBIT_API_KEY, or the data directory's `credentials.json`, whose agent key
 * is used unless a person's is asked for. A key from that file goes to no other server than the one it belongs to.
 */
export function findConnection(flags: ConnectionFlags, env: Env): Connection {
  const url = findUrl(flags, env);
  const given = flags.key ?? env.AMBIT_API_KEY;
  if (given !== undefined && given !== "") return { url, key: given };
  const directory = dataDirectory(flags, env);
  const credentials = readCredentials(directory);
  const home = textIn(credentials.mcp_url);
  const belongs = home !== undefined && URL.canParse(home) && new URL(home).origin === new URL(url).origin;
  const key = textIn(flags.person ? credentials.api_key : credentials.agent_key);
  if (!belongs || key === undefined) {
    throw new Problem(
      `No key is known for ${url}. Set AMBIT_API_KEY, or point --data-dir at its data directory.`,
    );
  }
  return { url, key };
}

/** Where the server keeps its data unless told otherwise; the same rule the server follows. */
function dataDirectory(flags: ConnectionFlags, env: Env): string {
  const named = flags["data-dir"] ?? env.AMBIT_DATA_DIR;
  if (named) return resolve(named);
  if (process.getuid?.() === 0) return "/var/lib/ambit";
  return join(env.XDG_DATA_HOME || join(homedir(), ".local", "share"), "ambit");
}

function readCredentials(directory: string): Credentials {
  const path = join(directory, "credentials.json");
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return {};
    throw new Problem(`${path} can't be read (${code ?? "not valid JSON"}).`);
  }
}

const textIn = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
