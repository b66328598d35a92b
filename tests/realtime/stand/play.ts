import { setTimeout as sleep } from "node:timers/promises";
import { Dice } from "../../gateway/stand/dice.ts";
import { randomChange } from "./changes.ts";
import { Client } from "./client.ts";
import { plainFilter, randomFilter } from "./filters.ts";
import type { Ground } from "./ground.ts";
import { Judge } from "./judge.ts";
import { newScene, type Scene } from "./scene.ts";
import type { Wish } from "./truth.ts";
import type { Write } from "./writes.ts";
import { randomWrite } from "./writes.ts";

/** What a play consists of. */
export interface Plan {
  readonly seed: number;
  readonly steps: number;
  /** Of subscriptions: with an id, filter, columns and `initial`, or only what old clients know. */
  readonly modern: boolean;
  /** Share of the steps that change what may be seen. */
  readonly changes: number;
  /** Share of the statements in SQL that change who belongs to what. */
  readonly restless?: number;
  /** Share of the steps at which a client subscribes to something else. */
  readonly wishes: number;
  /** Share of the steps at which a client is lost, or comes back. */
  readonly losses: number;
  /** Done at a random place between two quiet points; what it did, in words. */
  readonly disturb?: (play: Play, dice: Dice) => Promise<string>;
  /** Where the `n`-th client connects; the first node when left out. */
  readonly apiUrl?: (n: number) => string;
}

/** A scene with clients who watch it, and everything that happened to it. */
export interface Play {
  readonly scene: Scene;
  readonly clients: readonly Client[];
  readonly judge: Judge;
  readonly trail: string[];
}

/** Steps between two looks at everything. */
const STEPS_PER_LOOK = 30;

/** Plays a random app from its seed, and judges it at every quiet point. The seed is in whatever is thrown. */
export async function play(ground: Ground, plan: Plan): Promise<Play> {
  const dice = new Dice(plan.seed);
  const trail: string[] = [];
  let made: Play | undefined;
  try {
    const scene = await newScene(ground, dice, plan.restless ?? 0.03);
    for (const [table, policies] of scene.policies) {
      for (const { using, ...rest } of policies)
        trail.push(`${table}: ${JSON.stringify(rest)} ${using.sql(table)}`);
    }
    const clients = [scene.service, ...scene.people, scene.people[0]!, scene.anonymous].map(
      (looker, n) =>
        new Client({
          ...{ ground, appId: scene.appId, looker },
          apiUrl: () => plan.apiUrl?.(n) ?? ground.server.apiUrl,
          keyOf: (table, row) => scene.world.keyOf(table, row),
        }),
    );
    made = { scene, clients, judge: new Judge(scene, clients), trail };
    await made.judge.begin();
    for (const client of clients) await client.connect();
    for (const [n, client] of clients.entries()) await subscribeAll(made, client, dice, plan, n);
    for (let step = 0; step < plan.steps; step += STEPS_PER_LOOK) {
      await stretch(made, dice, plan, Math.min(STEPS_PER_LOOK, plan.steps - step));
      for (const client of clients) if (!client.connected) await client.connect();
      await made.judge.look();
      trail.push(`-- quiet after ${step + STEPS_PER_LOOK} steps`);
    }
    return made;
  } catch (error) {
    const said = error as Error;
    const told = trail.slice(-60).map((line) => `  ${line.slice(0, 400)}`);
    said.message = `AMBIT_SEED=${plan.seed}: ${said.message}\nwhat was done, lastly:\n${told.join("\n")}`;
    throw said;
  } finally {
    await Promise.all(made?.clients.map((client) => client.close()) ?? []);
  }
}

/** Steps without a look, some of them at the same time. */
async function stretch(made: Play, dice: Dice, plan: Plan, steps: number): Promise<void> {
  const disturbed = plan.disturb !== undefined ? dice.int(steps) : -1;
  // Some stretches without any, in which nothing excuses a frame that is missing.
  const changes = dice.chance(0.6) ? plan.changes : 0;
  let going: Promise<unknown>[] = [];
  let changing: Promise<unknown> = Promise.resolve();
  const start = ({ what, run }: Write) => {
    made.trail.push(what);
    return run();
  };
  for (let step = 0; step < steps; step++) {
    if (step === disturbed) {
      made.judge.disturbed();
      made.trail.push(await plan.disturb!(made, dice));
    }
    if (dice.chance(changes)) {
      await changing;
      changing = start(randomChange(made.scene, dice));
      going.push(changing);
    } else going.push(start(randomWrite(made.scene, dice)));
    if (dice.chance(plan.losses)) await comeOrGo(made, dice);
    if (dice.chance(plan.wishes)) await wantElse(made, dice);
    if (dice.chance(0.5)) {
      await Promise.all(going);
      going = [];
    }
    if (dice.chance(0.1)) await sleep(dice.int(15));
  }
  await Promise.all(going);
}

/** A client is lost, or comes back to where it was. */
async function comeOrGo({ clients, trail }: Play, dice: Dice): Promise<void> {
  const client = dice.pick(clients);
  const who = client.ports.looker.name;
  trail.push(`${who} ${client.connected ? "is lost" : "comes back"}`);
  await (client.connected ? client.drop() : client.connect());
}

/** A client wants something else, amidst the writes. */
async function wantElse({ clients, scene, trail }: Play, dice: Dice): Promise<void> {
  const client = dice.pick(clients);
  if (!client.connected) return;
  const first = client.watches.find(({ id }) => id !== null);
  if (first !== undefined && client.watches.length > 5) {
    trail.push(`${first.name} ends`);
    await client.unwatch(first);
  }
  const watch = await client.watch(randomWish(scene, dice, client), `s${ids++}`, dice.chance(0.6));
  trail.push(`now there is ${watch.name}`);
}

let ids = 0;

async function subscribeAll(
  { scene, trail }: Play,
  client: Client,
  dice: Dice,
  plan: Plan,
  n: number,
): Promise<void> {
  for (const { name } of scene.tables) {
    // What clients without ids have: one subscription of a table, or several filters of one.
    const filters = n === 1 ? [plainFilter(dice), plainFilter(dice)] : null;
    const old = await client.watch({ table: name, filters, columns: null }, null, false);
    trail.push(old.name);
  }
  if (!plan.modern) return;
  for (let count = 2 + dice.int(3); count > 0; count--) {
    const watch = await client.watch(randomWish(scene, dice, client), `s${ids++}`, dice.chance(0.6));
    trail.push(watch.name);
  }
}

function randomWish({ tables }: Scene, dice: Dice, client: Client): Wish {
  const { name: table, extras, keys, open } = dice.pick(tables);
  const filters = dice.chance(0.7) ? [randomFilter(dice, extras)] : null;
  const may = client.ports.looker.role === "service" ? [...open, "secret"] : open;
  // What a filter reads has to be there to be judged by; the key always comes along.
  const columns = dice.chance(0.5) ? may.filter((column) => keys.includes(column) || dice.chance(0.4)) : null;
  return { table, filters, columns };
}
