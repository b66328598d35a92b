import type { App } from "../../../../kernel/operation.ts";
import type { TestPlatform } from "../../../../testing/platform.ts";
import type { Viewer } from "../../subscriptions.ts";
import type { RoomFrame } from "../frames.ts";
import { createRooms, type Rooms } from "../rooms.ts";
import { createRulesService, type RulesService } from "../rule-service.ts";
import { Cluster, type SimNode } from "./cluster.ts";
import { type Recorder, recorder, type Sent } from "./recorder.ts";

/** Two nodes with real rules on a real Postgres; time and the log between them are moved by hand. */
export interface RoomWorld {
  readonly app: App;
  readonly cluster: Cluster;
  readonly nodes: readonly [SimNode, SimNode];
  readonly rooms: readonly [Rooms, Rooms];
  readonly rules: RulesService;
  readonly undecided: string[];
  /** Statements run as callers of the app so far. */
  calls(): number;
  client(id: string, viewer: Viewer): Recorder;
  /** Sends a frame on the first node (or the other) and gives what came back by the time it was answered. */
  say(client: Recorder, frame: RoomFrame, node?: 0 | 1): Promise<Sent[]>;
  owner(...statements: string[]): Promise<void>;
}

export async function roomWorld(test: TestPlatform): Promise<RoomWorld> {
  const { database, metrics, log } = test.platform;
  const app = await test.createApp();
  const cluster = new Cluster();
  const nodes = [cluster.start("n0"), cluster.start("n1")] as const;
  nodes[0].hear({ joined: "n1" });
  nodes[1].hear({ joined: "n0" });
  const undecided: string[] = [];
  let calls = 0;
  const counted: typeof database.asCaller = (...call) => {
    calls += 1;
    return database.asCaller(...call);
  };
  const counting = { query: database.query.bind(database) as typeof database.query, asCaller: counted };
  const make = ({ bus, later }: SimNode) =>
    createRooms({
      ...{ bus, later, database: counting, metrics, log },
      clock: () => cluster.nowMs,
      onUndecided: (sqlstate) => undecided.push(sqlstate),
    });
  const rooms = [make(nodes[0]), make(nodes[1])] as const;
  const rules = createRulesService({
    database,
    enums: async () => new Set(),
    onLimit: () => {},
    onChange: (appId) => rooms[0].rulesChanged(appId),
  });
  return {
    ...{ app, cluster, nodes, rooms, rules, undecided },
    calls: () => calls,
    client: (id, viewer) => recorder(app.id, id, viewer),
    async say(client, frame, node = 0) {
      client.news();
      await rooms[node].handle(client, frame);
      return client.news();
    },
    async owner(...statements) {
      await database.ownerTransaction(app.id, async (tx) => {
        for (const statement of statements) await tx.query(statement);
      });
    },
  };
}

/** Waits, in real time, until something is so. */
export async function until(what: () => boolean): Promise<void> {
  const giveUpAt = Date.now() + 10_000;
  while (!what()) {
    if (Date.now() > giveUpAt) throw new Error("it did not come to be");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
