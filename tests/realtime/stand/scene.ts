import type { Dice } from "../../gateway/stand/dice.ts";
import { type Api, apiAs, signUp } from "../../support/api.ts";
import { applySchema, must, newApp } from "../../support/app.ts";
import { FENCE } from "./client.ts";
import { EXTRAS, KEYS } from "./columns.ts";
import type { Looker } from "./expressions.ts";
import * as is from "./expressions.ts";
import type { Ground } from "./ground.ts";
import { definitionsNow, follow } from "./history.ts";
import { membershipPolicy, type PolicySpec, policyBody, randomPolicy } from "./policies.ts";
import { insisting, quoted } from "./sql.ts";
import { World } from "./truth.ts";

/** A table that has policies and is watched. */
export interface DocTable {
  readonly name: string;
  readonly keys: readonly string[];
  /** The `n`-th value of the key. */
  keyValue(n: number): Record<string, unknown>;
  readonly extras: readonly string[];
  /** Columns that everybody may read. */
  readonly open: readonly string[];
}

/** An app with people, tables and policies, followed from its first row on. */
export interface Scene {
  readonly ground: Ground;
  readonly appId: string;
  readonly tables: readonly DocTable[];
  readonly people: readonly Looker[];
  readonly anonymous: Looker;
  readonly service: Looker;
  readonly world: World;
  /** The policies of a table, as they were last asked for. */
  readonly policies: Map<string, PolicySpec[]>;
  /** Share of the statements in SQL that change who belongs to what. */
  readonly restless: number;
  api(looker: Looker): Api;
}

/** Makes one; `tables` of them with documents. */
export async function newScene(ground: Ground, dice: Dice, restless: number, tables = 2): Promise<Scene> {
  const { owner } = ground;
  const appId = await newApp(owner);
  const docs = Array.from({ length: tables }, (_, n) => newTable(dice, `docs_${n}`));
  await applySchema(
    owner,
    appId,
    Object.fromEntries([...docs.map(schemaOf), MEMBERS, [FENCE, FENCE_TABLE]]),
    {
      enums: { mood: ["sad", "ok", "very happy"] },
    },
  );
  const people: Looker[] = [];
  for (const name of ["ada", "ben", "eve"]) {
    const { id, email, token } = await signUp(ground.server.apiUrl, appId, name);
    const claims = Buffer.from(token.split(".")[1]!, "base64url").toString();
    people.push({ ...{ name, role: "user", userId: id, email, token, claims } });
  }
  const keys = Object.fromEntries([
    ...docs.map(({ name, keys }) => [name, keys]),
    ["members", ["team", "user_id"]],
  ]);
  const world = new World(keys);
  await ground.db.query(
    `insert into ${quoted(appId, "members")} values (1, $1, true), (2, $2, true), (3, $1, false)`,
    [people[0]!.userId, people[1]!.userId],
  );
  const nobody = { userId: null, email: null, claims: "" };
  const scene: Scene = {
    ...{
      ground,
      appId,
      tables: docs,
      people,
      world,
      policies: new Map(),
      restless,
    },
    anonymous: { name: "nobody", role: "anon", token: null, ...nobody },
    service: { name: "the key", role: "service", token: ground.server.apiKey, ...nobody },
    api:
      (looker) =>
      (...call) =>
        apiAs(ground.server.apiUrl, looker.token)(...call),
  };
  await protect(scene, dice);
  const watched = [...docs.map(({ name }) => name), FENCE, ...(dice.chance(0.5) ? ["members"] : [])];
  must(await owner("POST", `/v1/${appId}/realtime/configure`, { tables: watched }));
  await follow(ground.db, appId, Object.keys(keys));
  await startWorld(scene);
  return scene;
}

/** Reads into the world what is there now. */
export async function startWorld({ ground, appId, world }: Scene): Promise<void> {
  const rows: Record<string, any[]> = {};
  for (const table of Object.keys(world.keys)) {
    const found = await insisting(() =>
      ground.db.query(`select to_jsonb(t) as row from ${quoted(appId, table)} t`),
    );
    rows[table] = found.rows.map(({ row }) => row);
  }
  world.start(await definitionsNow(ground.db, appId), rows);
}

function newTable(dice: Dice, name: string): DocTable {
  const key = dice.pick(KEYS);
  const extras = Object.keys(EXTRAS).filter(() => dice.chance(0.45));
  const keys = Object.keys(key.columns);
  return {
    ...{ name, keys, extras, keyValue: key.value },
    open: [...keys, "owner_id", "team", "public", "archived", "title", "big", "w", ...extras],
  };
}

function schemaOf({ name, keys, keyValue, extras }: DocTable): [string, object] {
  const kind = KEYS.find(
    ({ value, columns }) => value === keyValue && Object.keys(columns).join() === keys.join(),
  )!;
  const of = (type: string) => ({ type });
  const columns = {
    ...Object.fromEntries(
      Object.entries(kind.columns).map(([column, type]) => [column, { type, nullable: false }]),
    ),
    ...{
      owner_id: of("text"),
      team: of("int"),
      public: of("boolean"),
      archived: of("boolean"),
      title: of("text"),
    },
    ...{ big: of("text"), w: of("bigint"), secret: { type: "text", readableBy: ["service"] } },
    ...Object.fromEntries(extras.map((extra) => [extra, of(EXTRAS[extra]!.type)])),
  };
  return [name, { columns, primaryKey: keys }];
}

const MEMBERS: [string, object] = [
  "members",
  {
    columns: {
      team: { type: "int", nullable: false },
      user_id: { type: "text", nullable: false },
      active: { type: "boolean" },
      w: { type: "bigint" },
    },
    primaryKey: ["team", "user_id"],
  },
];
const FENCE_TABLE = { columns: { id: { type: "int", primaryKey: true } } };

/** Row-level security on the tables, members among them, with policies of all kinds. */
async function protect(scene: Scene, dice: Dice): Promise<void> {
  const using = dice.pick([
    is.ownMembership,
    is.ownMembership,
    is.any(is.ownMembership, is.activeMembership),
    is.always,
  ]);
  await addPolicy(scene, "members", {
    ...{ name: "m_own", command: "SELECT", role: "user", restrictive: false, using },
  });
  for (const { name } of scene.tables) {
    const open = { name: `open_${name}`, command: "ALL", role: undefined, restrictive: false } as const;
    await addPolicy(scene, name, { ...open, using: dice.pick([is.owner, is.any(is.owner, is.open)]) });
    if (scene.restless > 0) await addPolicy(scene, name, membershipPolicy(dice, `team_${name}`));
    for (let n = 1 + dice.int(3); n > 0; n--) await addPolicy(scene, name, randomPolicy(dice));
  }
}

/** Makes a policy through the API; the world knows of it before it can hold. */
export async function addPolicy(scene: Scene, table: string, policy: PolicySpec): Promise<void> {
  scene.world.announce(policy);
  must(await scene.ground.owner("POST", `/v1/${scene.appId}/rls/policies`, policyBody(table, policy)));
  scene.policies.set(table, [...(scene.policies.get(table) ?? []), policy]);
}
