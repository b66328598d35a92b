import type { Dice } from "../../gateway/stand/dice.ts";
import { applySchema, must } from "../../support/app.ts";
import { changed, policyBody, randomPolicy } from "./policies.ts";
import { addPolicy, type Scene } from "./scene.ts";
import type { Write } from "./writes.ts";

/** Applies it, again while it is told that writers were in the way. */
async function applied(...order: Parameters<typeof applySchema>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await applySchema(...order);
      return;
    } catch (error) {
      if (attempt === 5 || !/"pg_code":"(40P01|55P03)"/.test((error as Error).message)) throw error;
    }
  }
}

/** A change of what may be seen, through the API, amidst the writes. Only one may be under way at a time. */
export function randomChange(scene: Scene, dice: Dice): Write {
  const { ground, appId, world } = scene;
  const table = dice.pick(scene.tables).name;
  const policies = scene.policies.get(table)!;
  const kind = dice.next();
  if (kind < 0.3 && policies.length < 6) {
    const policy = randomPolicy(dice);
    return {
      what: `${table} gets ${JSON.stringify(policyBody(table, policy))}`,
      run: () => addPolicy(scene, table, policy),
    };
  }
  if (kind < 0.45 && policies.length > 1) {
    const policy = dice.pick(policies.slice(1));
    return {
      what: `${table} loses ${policy.name}`,
      async run() {
        must(await ground.owner("DELETE", `/v1/${appId}/rls/${table}/${policy.name}`));
        scene.policies.set(
          table,
          policies.filter((each) => each !== policy),
        );
      },
    };
  }
  if (kind < 0.65) {
    const before = dice.pick(policies);
    const policy = changed(dice, before);
    if (policy.using.sql(table) === before.using.sql(table)) return readers(scene, dice, table);
    return {
      what: `${table}: ${policy.name} is now ${policy.using.sql(table)}`,
      async run() {
        world.announce(policy);
        const body = { table_name: table, using_expression: policy.using.sql(table) };
        must(await ground.owner("PATCH", `/v1/${appId}/rls/policies/${policy.name}`, body));
        scene.policies.set(
          table,
          policies.map((each) => (each === before ? policy : each)),
        );
      },
    };
  }
  if (kind < 0.85) return readers(scene, dice, table);
  const column = `late_${world.definition(table)!.columns.length}_${dice.int(1_000)}`;
  return {
    what: `${table} gets the column ${column}`,
    run: () => applied(ground.owner, appId, { [table]: { columns: { [column]: { type: "text" } } } }),
  };
}

function readers({ ground, appId }: Scene, dice: Dice, table: string): Write {
  const readableBy = dice.pick([["service"], ["service", "user"], ["service", "user", "anon"]]);
  return {
    what: `${table}.secret can be read by ${readableBy}`,
    run: () =>
      applied(ground.owner, appId, { [table]: { columns: { secret: { type: "text", readableBy } } } }),
  };
}
