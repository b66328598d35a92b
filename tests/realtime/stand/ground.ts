import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { connectAs, socketOf } from "../../ledger/stand.ts";
import { type Api, apiAs } from "../../support/api.ts";
import { newDataDir, postgresPid, type Server, startServer } from "../../support/server.ts";
import { beginHistory } from "./history.ts";
import { insisting } from "./sql.ts";

/** Real servers on one Postgres of the suite's own, which it looks into as superuser, and ends at will. */
export class Ground {
  /** In the order they were started; the first one's Postgres is everybody's. */
  readonly nodes: Server[] = [];
  readonly db: pg.Pool;
  readonly #directories: string[];

  private constructor(first: Server, db: pg.Pool) {
    this.nodes.push(first);
    this.#directories = [first.dataDir];
    this.db = db;
  }

  static async start(nodes = 1): Promise<Ground> {
    const first = await startServer();
    const user = "postgres";
    const client = await connectAs(first.dataDir, user);
    await client.end();
    const db = new pg.Pool({ ...socketOf(first.dataDir), user, database: "ambit", max: 12 });
    db.on("error", () => {});
    // A connection in use says so too when Postgres is killed.
    db.on("connect", (connection) => connection.on("error", () => {}));
    const ground = new Ground(first, db);
    try {
      await beginHistory(db, "suite");
      while (ground.nodes.length < nodes) await ground.addNode();
    } catch (error) {
      await ground.close();
      throw error;
    }
    return ground;
  }

  get server(): Server {
    return this.nodes[0]!;
  }

  /** Every key of the first node's holds on all of them. */
  get owner(): Api {
    return (...call) => apiAs(this.server.apiUrl, this.server.apiKey)(...call);
  }

  /** Another server on the same Postgres. */
  async addNode(env: Record<string, string> = {}): Promise<Server> {
    const { host, port } = socketOf(this.server.dataDir);
    const dataDir = newDataDir();
    this.#directories.push(dataDir);
    const node = await startServer(
      {
        DATABASE_URL: `postgres://ambit_server@localhost:${port}/ambit?host=${encodeURIComponent(host)}`,
        AMBIT_MASTER_KEY: readFileSync(join(this.server.dataDir, "master.key"), "utf8").trim(),
        ...env,
      },
      dataDir,
    );
    this.nodes.push(node);
    return node;
  }

  /** Stops one of the further servers. */
  async removeNode(node: Server): Promise<void> {
    this.nodes.splice(this.nodes.indexOf(node), 1);
    await node.stop();
  }

  /** Ends the first server without warning and starts it again, elsewhere. */
  async killServer(): Promise<void> {
    await this.server.kill();
    this.nodes[0] = await startServer({}, this.server.dataDir);
  }

  /** Ends Postgres without warning; Ambit starts it again. */
  async killDatabase(): Promise<void> {
    const pid = postgresPid(this.server.dataDir)!;
    process.kill(pid, "SIGKILL");
    await sleep(50);
    await insisting(() => this.db.query("select 1"));
  }

  /** Cuts the connections on which the log is read. */
  async cutReplication(): Promise<void> {
    await this.db.query(
      "select pg_terminate_backend(pid) from pg_stat_replication where application_name not like 'suite%'",
    );
  }

  /** Takes away every slot that is not the suite's, whoever reads from it. */
  async dropSlots(): Promise<number> {
    let dropped = 0;
    const { rows } = await this.db.query(
      "select slot_name from pg_replication_slots where slot_name <> 'suite' and not temporary",
    );
    for (const { slot_name } of rows) {
      for (let attempt = 0; attempt < 200; attempt++) {
        const { rows: active } = await this.db.query(
          "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1 and active",
          [slot_name],
        );
        const drop = this.db.query(
          "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1",
          [slot_name],
        );
        const gone = await drop.then(
          ({ rowCount }) => rowCount !== null,
          () => false,
        );
        if (gone) {
          dropped += 1;
          break;
        }
        if (active.length === 0) await sleep(1);
      }
    }
    return dropped;
  }

  async close(): Promise<void> {
    await this.db.end();
    for (const node of this.nodes.toReversed()) await node.stop();
    for (const directory of this.#directories) await rm(directory, { recursive: true, force: true });
  }
}
