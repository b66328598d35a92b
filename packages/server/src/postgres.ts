import { ensureDatabase, probe } from "./engines/postgres/bootstrap.ts";
import type { Target } from "./engines/postgres/database.ts";
import { startEmbedded } from "./engines/postgres/embedded/index.ts";
import { prepareServingRole } from "./engines/postgres/serving-role.ts";
import type { Config } from "./kernel/config.ts";
import { ConfigError } from "./kernel/config.ts";
import type { Log } from "./kernel/log.ts";

/** The Postgres this node works on, and how to let go of it. */
export interface PostgresEngine {
  /** Where requests are served. */
  readonly target: Target;
  /** Where the tables that only grow are made; the same login as `target` unless there is a mightier one. */
  readonly admin: Target;
  readonly embedded: boolean;
  stop(): Promise<void>;
}

/** The server behind DATABASE_URL, else one of our own under the data directory. */
export async function openPostgres(config: Config, log: Log): Promise<PostgresEngine> {
  if (config.databaseUrl !== null) return openExisting(config.databaseUrl, config.adminDatabaseUrl);
  const server = await startEmbedded({
    stateDir: config.dataDir,
    log: (level, message, detail) => log[level](detail ?? {}, message),
  });
  try {
    const admin = await ensureDatabase({ host: server.host, port: server.port, user: server.user });
    const target = await prepareServingRole(admin);
    return { target, admin, embedded: true, stop: () => server.stop() };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function openExisting(databaseUrl: string, adminUrl: string | null): Promise<PostgresEngine> {
  const target = targetOf(databaseUrl);
  const admin = adminUrl === null ? target : targetOf(adminUrl);
  if (admin.database !== target.database) {
    throw new ConfigError(
      "AMBIT_ADMIN_DATABASE_URL",
      `leads to the database ${admin.database}, DATABASE_URL to ${target.database}`,
      "Name the same database with another login.",
    );
  }
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
  return { target, admin, embedded: false, stop: async () => {} };
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
