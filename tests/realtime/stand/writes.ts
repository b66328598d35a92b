import type pg from "pg";
import type { Dice } from "../../gateway/stand/dice.ts";
import { randomValues } from "./columns.ts";
import type { Looker } from "./expressions.ts";
import type { DocTable, Scene } from "./scene.ts";
import { quoted } from "./sql.ts";

/** Keys of one table that come up; few, so that rows come and go under the same one. */
const KEY_COUNT = 12;

/** One write: what it is in words, and how it is done. It may be refused; the history says what came of it. */
export interface Write {
  readonly what: string;
  run(): Promise<unknown>;
}

export function randomWrite(scene: Scene, dice: Dice): Write {
  return dice.chance(0.4) ? apiWrite(scene, dice) : sqlWrite(scene, dice);
}

/** Through the data API, as one of those who may have something to write. */
function apiWrite(scene: Scene, dice: Dice): Write {
  const looker = dice.pick<Looker>([...scene.people, scene.service, scene.service, scene.anonymous]);
  const table = dice.pick(scene.tables);
  const key = table.keyValue(dice.int(KEY_COUNT));
  const where = Object.entries(key).map(([column, value]) => `${column}=eq.${value}`);
  const path = `/v1/${scene.appId}/${table.name}`;
  const values = randomValues(dice, table.extras, scene.people);
  if (looker.role !== "service") delete values.secret;
  const call = dice.pick([
    ["POST", path, { ...key, ...values }],
    ["PATCH", `${path}?${where.join("&")}`, some(dice, values)],
    ["PATCH", `${path}?team=eq.${1 + dice.int(4)}`, some(dice, values)],
    ["DELETE", `${path}?${where.join("&")}`, undefined],
  ] as const);
  const [method, url, body] = call;
  return {
    what: `${looker.name}: ${method} ${url} ${JSON.stringify(body ?? "").slice(0, 120)}`,
    run: () =>
      scene
        .api(looker)(method, url, body)
        .catch(() => null),
  };
}

/** A part of the values, at least one. */
function some(dice: Dice, values: Record<string, unknown>): Record<string, unknown> {
  const names = Object.keys(values).filter(() => dice.chance(0.3));
  if (names.length === 0) names.push("team");
  return Object.fromEntries(names.map((name) => [name, values[name]]));
}

/** Past the API: a transaction of several statements, which may be taken back in part or as a whole. */
function sqlWrite(scene: Scene, dice: Dice): Write {
  const statements = dice.chance(scene.restless)
    ? togetherWithRows(scene, dice)
    : Array.from({ length: 1 + dice.int(4) }, () => statement(scene, dice));
  const end = dice.chance(0.12) ? "rollback" : "commit";
  const role = dice.chance(0.5) ? `${scene.appId}_owner` : null;
  const slow = dice.chance(0.15);
  return {
    what: `sql${role === null ? "" : " as owner"}: ${statements.map(({ text, values }) => `${text} ${JSON.stringify(values).slice(0, 90)}`).join("; ")}; ${end}`,
    run: () => transaction(scene, { statements, end, role, slow }).catch(() => null),
  };
}

interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

async function transaction(
  scene: Scene,
  {
    statements,
    end,
    role,
    slow,
  }: { statements: readonly Statement[]; end: string; role: string | null; slow: boolean },
): Promise<void> {
  const client: pg.PoolClient = await scene.ground.db.connect();
  let broken: Error | undefined;
  try {
    await client.query("begin");
    await client.query("set local lock_timeout = '2s'");
    if (role !== null) await client.query(`set local role ${quoted(role)}`);
    for (const { text, values } of statements) {
      await client.query(text, [...values]);
      if (slow) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await client.query(end);
  } catch (error) {
    await client.query("rollback").catch((lost) => {
      broken = lost;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

function statement(scene: Scene, dice: Dice): Statement {
  if (dice.chance(scene.restless)) return memberStatement(scene, dice);
  const table = dice.pick(scene.tables);
  const name = quoted(scene.appId, table.name);
  const values = randomValues(dice, table.extras, scene.people);
  const key = table.keyValue(dice.int(KEY_COUNT));
  const kind = dice.next();
  if (kind < 0.35) return insertion(name, { ...key, ...values });
  if (kind < 0.55) return update(name, some(dice, values), byKey(table, key));
  if (kind < 0.63) return update(name, some(dice, values), `t.team = ${1 + dice.int(4)}`);
  // A value that is kept outside the row stays where it is.
  if (kind < 0.7) return update(name, { team: 1 + dice.int(4) }, "t.big is not null");
  if (kind < 0.76) return update(name, table.keyValue(dice.int(KEY_COUNT)), byKey(table, key));
  if (kind < 0.8) return update(name, {}, byKey(table, key));
  if (kind < 0.97) return { text: `delete from ${name} t where ${byKey(table, key)}`, values: [] };
  if (kind < 0.985) return { text: `delete from ${name} t where t.team = ${1 + dice.int(4)}`, values: [] };
  if (kind < 0.993) return { text: `delete from ${name}`, values: [] };
  return { text: `truncate ${name}`, values: [] };
}

/** Everybody comes or goes, in one transaction with rows that only those who belong may see. */
function togetherWithRows(scene: Scene, dice: Dice): readonly Statement[] {
  const team = 1 + dice.int(3);
  const rows = Array.from({ length: 1 + dice.int(2) }, () => {
    const table = dice.pick(scene.tables);
    const name = quoted(scene.appId, table.name);
    const key = table.keyValue(dice.int(KEY_COUNT));
    const values = {
      ...randomValues(dice, table.extras, scene.people),
      ...{ team, owner_id: null, public: false, archived: true, title: "of the team" },
    };
    return dice.chance(0.6)
      ? insertion(name, { ...key, ...values })
      : update(name, values, byKey(table, key));
  });
  const name = quoted(scene.appId, "members");
  const moved = dice.chance(0.5)
    ? { text: `delete from ${name} where team = $1`, values: [team] }
    : {
        text: `insert into ${name} (team, user_id, active) select $1, unnest($2::text[]), true on conflict do nothing`,
        values: [team, scene.people.map(({ userId }) => userId)],
      };
  return dice.chance(0.5) ? [moved, ...rows] : [...rows, moved];
}

/** Who belongs to what; often in one transaction with rows that this concerns. */
function memberStatement(scene: Scene, dice: Dice): Statement {
  const name = quoted(scene.appId, "members");
  const user = dice.pick(scene.people).userId;
  const team = 1 + dice.int(4);
  const kind = dice.int(4);
  if (kind === 0)
    return { text: `delete from ${name} where team = $1 and user_id = $2`, values: [team, user] };
  if (kind === 1)
    return { text: `update ${name} set active = not active where user_id = $1`, values: [user] };
  if (kind === 2) {
    return {
      text: `update ${name} set team = $1 where user_id = $2 and team = $3`,
      values: [team, user, 1 + dice.int(4)],
    };
  }
  return {
    text: `insert into ${name} (team, user_id, active) values ($1, $2, $3) on conflict do nothing`,
    values: [team, user, dice.chance(0.7)],
  };
}

const literal = (value: unknown): string => (typeof value === "number" ? String(value) : `'${value}'`);
const byKey = (_table: DocTable, key: Record<string, unknown>): string =>
  Object.entries(key)
    .map(([column, value]) => `t.${column} = ${literal(value)}`)
    .join(" and ");

function insertion(name: string, values: Record<string, unknown>): Statement {
  const columns = Object.keys(values).join(", ");
  return {
    text: `insert into ${name} (${columns}) select ${columns} from jsonb_populate_record(null::${name}, $1) on conflict do nothing`,
    values: [JSON.stringify(values)],
  };
}

function update(name: string, values: Record<string, unknown>, where: string): Statement {
  const columns = Object.keys(values);
  // Nothing is set: only the number of the write changes.
  const set = columns.length === 0 ? "w = 0" : columns.map((column) => `${column} = r.${column}`).join(", ");
  return {
    text: `update ${name} t set ${set} from jsonb_populate_record(null::${name}, $1) r where ${where}`,
    values: [JSON.stringify(values)],
  };
}
