import { join } from "node:path";
import pg from "pg";
import { DATABASE_NAME } from "../../packages/server/src/engines/postgres/bootstrap.ts";
import { readPidFile } from "../../packages/server/src/engines/postgres/embedded/pid-file.ts";

/** Where an Ambit's embedded Postgres listens. */
export interface PostgresAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
}

/** The address of the embedded Postgres in a data directory. Throws when it does not run. */
export function postgresAddress(dataDir: string): PostgresAddress {
  const file = readPidFile(join(dataDir, "postgres"));
  if (file?.socketDir === undefined || file.port === undefined) {
    throw new Error(`no Postgres runs in ${dataDir}`);
  }
  return { host: file.socketDir, port: file.port, database: DATABASE_NAME };
}

/** Runs SQL as the superuser of the embedded Postgres. */
export async function withSuperuser<T>(dataDir: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ ...postgresAddress(dataDir), user: "postgres" });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The version of the embedded Postgres, such as `18.4`. */
export const postgresVersion = (dataDir: string): Promise<string> =>
  withSuperuser(dataDir, async (client) => {
    const { rows } = await client.query("show server_version");
    return String(rows[0].server_version).split(" ")[0]!;
  });
