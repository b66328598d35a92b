import { chmodSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, type ClientConfig } from "pg";
import { startEmbedded } from "../../embedded/launcher.ts";

/** A throw-away Postgres of a test's own: it may be killed, starved of log, set up against the reader. */
export interface PostgresFixture {
  readonly connection: ClientConfig;
  /** A connected client; `stop` closes it. Its loss in a crash is no error of the test. */
  connect(): Promise<Client>;
  /** SIGKILL to the server; resolves when its supervisor has brought it back. */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

export async function startPostgres(settings: Record<string, string> = {}): Promise<PostgresFixture> {
  const stateDir = mkdtempSync(join(tmpdir(), "ambit-replication-"));
  chmodSync(stateDir, 0o755);
  const server = await startEmbedded({ stateDir, log: () => {}, settings });
  const connection = { host: server.host, port: server.port, user: server.user, database: "postgres" };
  const open = new Set<Client>();
  return {
    connection,
    async connect() {
      const client = new Client(connection);
      client.on("error", () => {});
      client.once("end", () => open.delete(client));
      await client.connect();
      open.add(client);
      return client;
    },
    async crash() {
      const back = new Promise<void>((resolve) => server.onRestart(resolve));
      process.kill(server.pid, "SIGKILL");
      await back;
    },
    async stop() {
      await Promise.all([...open].map((client) => client.end().catch(() => {})));
      await server.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}
