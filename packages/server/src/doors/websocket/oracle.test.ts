import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OracleClient } from "./testing/oracle-client.ts";
import {
  canSee,
  columnsFor,
  createPolicy,
  type Item,
  type Looker,
  type PolicyName,
  randomWrite,
  shownTo,
  type World,
} from "./testing/oracle-model.ts";
import { createRandom, type Random } from "./testing/random.ts";
import { type AppStage, SERVICE_KEY, Stage } from "./testing/stage.ts";

const LOOKERS: Looker[] = [
  { name: "u1", role: "user", claims: { sub: "u1", tenant: "t1" } },
  { name: "u2", role: "user", claims: { sub: "u2", tenant: "t1" } },
  { name: "u3", role: "user", claims: { sub: "u3", tenant: "t2" } },
  { name: "anon", role: "anon", claims: null },
  { name: "service", role: "service", claims: null },
];
const PERMISSIVE: PolicyName[] = ["owner", "tenant", "team", "flag", "anyone"];
const TRANSACTIONS = 120;

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.start();
});
afterAll(() => stage?.stop());

/** What kinds of change a run makes beside writing items. */
interface Plan {
  readonly policies: readonly PolicyName[];
  readonly masked: readonly ("anon" | "user")[];
  readonly memberships: boolean;
  readonly definitions: boolean;
}

function randomPlan(random: Random): Plan {
  const policies = PERMISSIVE.filter(() => random.chance(0.45));
  if (random.chance(0.5)) policies.push("visible");
  return {
    policies: policies.length === 0 ? ["owner"] : policies,
    masked: (["anon", "user"] as const).filter(() => random.chance(0.4)),
    memberships: random.chance(0.5),
    definitions: random.chance(0.4),
  };
}

/** An app whose state the test follows: `worlds[t]` is what decides after transaction `t`. */
class Run {
  readonly worlds: World[] = [];
  readonly app: AppStage;
  readonly #random: Random;
  readonly #plan: Plan;

  constructor(app: AppStage, random: Random, plan: Plan) {
    this.app = app;
    this.#random = random;
    this.#plan = plan;
    this.worlds.push({
      policies: new Set(plan.policies),
      masked: new Set(plan.masked),
      members: new Set(["1/u1", "2/u2"]),
    });
  }

  get world(): World {
    return this.worlds.at(-1)!;
  }

  async transaction(): Promise<void> {
    const number = this.worlds.length;
    const statements = [`insert into log values (${number})`];
    let world = this.world;
    if (this.#plan.definitions && this.#random.chance(0.08)) {
      const changed = this.#definition(world);
      world = changed.world;
      await this.app.define(...statements, ...changed.statements);
    } else {
      for (let i = 1 + this.#random.below(3); i > 0; i--) {
        if (this.#plan.memberships && this.#random.chance(0.15)) {
          const changed = this.#membership(world);
          world = changed.world;
          statements.push(...changed.statements);
        } else statements.push(...randomWrite(this.#random));
      }
      await this.app.write(...statements);
    }
    this.worlds.push(world);
  }

  #membership(world: World): { world: World; statements: string[] } {
    const [team, user] = [1 + this.#random.below(3), `u${1 + this.#random.below(3)}`];
    const members = new Set(world.members);
    if (members.delete(`${team}/${user}`)) {
      return {
        world: { ...world, members },
        statements: [`delete from members where team = ${team} and user_id = '${user}'`],
      };
    }
    members.add(`${team}/${user}`);
    return { world: { ...world, members }, statements: [`insert into members values (${team}, '${user}')`] };
  }

  #definition(world: World): { world: World; statements: string[] } {
    if (this.#random.chance(0.3)) {
      const role = this.#random.pick(["anon", "user"] as const);
      const masked = new Set(world.masked);
      if (!masked.delete(role)) masked.add(role);
      return { world: { ...world, masked }, statements: grants(this.app.id, role, masked.has(role)) };
    }
    const name = this.#random.pick([...PERMISSIVE, "visible" as const]);
    const policies = new Set(world.policies);
    if (policies.delete(name))
      return { world: { ...world, policies }, statements: [`drop policy ${name} on items`] };
    policies.add(name);
    return { world: { ...world, policies }, statements: [createPolicy(name)] };
  }
}

const OPEN = columnsFor(LOOKERS[0]!, {
  masked: new Set(["user"]),
  policies: new Set(),
  members: new Set(),
}).join(", ");

const grants = (appId: string, role: string, masked: boolean): string[] =>
  masked
    ? [`revoke select on items from ${appId}_${role}`, `grant select (${OPEN}) on items to ${appId}_${role}`]
    : [`grant select on items to ${appId}_${role}`];

async function prepare(plan: Plan): Promise<AppStage> {
  const app = await stage.app(
    [],
    "create table members (team int, user_id text, primary key (team, user_id))",
    "alter table members enable row level security",
    "create policy mine on members using (user_id = current_user_id())",
    "insert into members values (1, 'u1'), (2, 'u2')",
    `create table items (id int primary key, owner text, tenant text, team int, is_public boolean, hidden boolean,
       secret text, note text)`,
    "alter table items enable row level security",
    "create policy items_service_bypass on items to butterbase_service using (true) with check (true)",
    "create table log (id int primary key)",
    ...plan.policies.map(createPolicy),
  );
  await app.define(...plan.masked.flatMap((role) => grants(app.id, role, true)));
  await stage.node.realtime.enable(app.id, ["items", "log"]);
  return app;
}

async function attach(run: Run, looker: Looker, filter: string | null): Promise<OracleClient> {
  const token = { user: () => stage.userToken(looker.claims!), anon: () => null, service: () => SERVICE_KEY };
  const client = await run.app.connect(token[looker.role]());
  const oracle = new OracleClient(run.app, looker, client, { world: () => run.world, filter });
  await client.subscribe("log");
  await client.subscribe("items", filter === null ? undefined : { is_public: true });
  oracle.load();
  return oracle;
}

/** Every change as the log has it, with the number of its transaction. */
function truth(
  service: OracleClient,
): Map<string, { op: string; old: Item | null; new: Item | null; at: number }> {
  const changes = new Map();
  let at = 0;
  for (const frame of service.client.changes()) {
    if (frame.table === "log") at = frame.record.id;
    else changes.set(frame.seq, { op: frame.op, old: frame.old_record, new: frame.record, at });
  }
  return changes;
}

function expectedFrame(
  change: { op: string; old: Item | null; new: Item | null },
  looker: Looker,
  world: World,
) {
  const sees = (item: Item | null) => item !== null && canSee(item, looker, world);
  const shown = (item: Item | null) => (item === null ? null : shownTo(item, looker, world));
  const [before, after] = [sees(change.old), sees(change.new)];
  if (!before && !after) return null;
  if (before && after) {
    const same = JSON.stringify(shown(change.old)) === JSON.stringify(shown(change.new));
    const hides = columnsFor(looker, world).length < columnsFor(LOOKERS[4]!, world).length;
    return same && hides
      ? null
      : { op: "UPDATE", reason: undefined, record: shown(change.new), old_record: shown(change.old) };
  }
  if (after)
    return {
      op: "INSERT",
      reason: change.op === "INSERT" ? undefined : "enter",
      record: shown(change.new),
      old_record: null,
    };
  return {
    op: "DELETE",
    reason: change.op === "DELETE" ? undefined : "leave",
    record: null,
    old_record: shown(change.old),
  };
}

describe("against an oracle", () => {
  const seeds = process.env.ORACLE_SEED
    ? [Number(process.env.ORACLE_SEED)]
    : [1, 2, 3, 4, 5, 6].map((n) => n + Math.floor(Math.random() * 1e6) * 10);
  it.each(seeds)("nobody sees too much and nobody misses anything, seed %i", async (seed) => {
    const random = createRandom(seed);
    const plan = randomPlan(random);
    const run = new Run(await prepare(plan), random, plan);
    const clients = await Promise.all(LOOKERS.map((looker) => attach(run, looker, null)));
    const filtering = await attach(run, LOOKERS[0]!, "is_public");
    for (let i = 0; i < TRANSACTIONS; i++) {
      await run.transaction();
      if (random.chance(0.05)) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const last = run.worlds.length - 1;
    // The service misses nothing; what it got, the others have been sent by the next answer at the latest.
    await clients[4]!.client.frame(
      (frame) => frame.table === "log" && frame.record?.id === last,
      "the end",
      15_000,
    );
    for (const { client } of [...clients, filtering]) await client.fence();
    const changes = truth(clients[4]!);
    expect(changes.size).toBeGreaterThan(TRANSACTIONS / 2);
    for (const oracle of [...clients, filtering]) {
      await oracle.settled();
      const { looker } = oracle;
      const context = `seed ${seed}, ${looker.name}, plan ${JSON.stringify(plan)}, resyncs ${oracle.resyncs}`;
      const rows = new Map((await oracle.read()).map((row) => [row.id, row]));
      expect([...oracle.view].sort(), `the view of ${context}`).toEqual([...rows].sort());
      if (oracle === filtering) continue;
      const seqs = oracle.frames.map((frame) => frame.seq);
      expect(seqs, `order of ${context}`).toEqual([...new Set(seqs)].sort());
      for (const frame of oracle.frames) {
        const change = changes.get(frame.seq)!;
        const { op, reason, record, old_record } = frame;
        expect({ op, reason, record, old_record }, `${context}, transaction ${change.at}`).toEqual(
          expectedFrame(change, looker, run.worlds[change.at]!),
        );
      }
      if (oracle.resyncs > 0) continue;
      const due = [...changes].filter(
        ([, change]) => expectedFrame(change, looker, run.worlds[change.at]!) !== null,
      );
      expect(seqs, `completeness of ${context}`).toEqual(due.map(([seq]) => seq));
    }
  });
});
