import { ensureDatabase, probe } from "./engines/postgres/bootstrap.ts";
import type { Target } from "./engines/postgres/database.ts";
import { startEmbedded } from "./engines/postgres/embedded/index.ts";
import type { Config } from "./kernel/config.ts";
import { ConfigError } from "./kernel/config.ts";
import type { Log } from "./kernel/log.ts";

/** The Postgres this node works on, and how to let go of it. */
export interface PostgresEngine {
  readonly target: Target;
  readonly embedded: boolean;
  stop(): Promise<void>;
}

/** The server behind DATABASE_URL, else one of our own under the data directory. */
export async function openPostgres(config: Config, log: Log): Promise<PostgresEngine> {
  if (config.databaseUrl !== null) return openExisting(config.databaseUrl);
  const server = await startEmbedded({
    stateDir: config.dataDir,
    log: (level, message, detail) => log[level](detail ?? {}, message),
  });
  try {
    const target = await ensureDatabase({ host: server.host, port: server.port, user: server.user });
    return { target, embedded: true, stop: () => server.stop() };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function openExisting(databaseUrl: string): Promise<PostgresEngine> {
  const target = targetOf(databaseUrl);
  let problems: string[];
  try {
    problems = await probe(target);
  } catch (error) {
    const reason =
      error instanceof Error ? error.message || (error as NodeJS.ErrnoException).code : String(error);
    throw new ConfigError(
      "DATABASE_URL",
      `does not lead to a server that answers (${target.host}:${target.port}: ${reason})`,
      "Check host, port, user and password, or unset it to use the built-in server.",
    );
  }
  if (problems.length > 0) {
    throw new ConfigError(
      "DATABASE_URL",
      "leads to a server that lacks something",
      `${problems.join("; ")}.`,
    );
  }
  return { target, embedded: false, stop: async () => {} };
}

/** The parts of a connection URL; a `host` in the query is a socket directory, as libpq has it. */
export function targetOf(databaseUrl: string): Target {
  const url = new URL(databaseUrl);
  const sslmode = url.searchParams.get("sslmode");
  return {
    host: url.searchParams.get("host") ?? (decodeURIComponent(url.hostname) || "localhost"),
    port: Number(url.port || 5432),
    user: decodeURIComponent(url.username) || "postgres",
    password: url.password === "" ? undefined : decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)) || "postgres",
    ssl:
      sslmode === null || sslmode === "disable" || sslmode === "prefer"
        ? undefined
        : { rejectUnauthorized: sslmode.startsWith("verify") },
  };
}
