import { newDataDir, type RunningAmbit, startAmbit } from "../../harness/ambit.ts";
import { type Api, apiOf } from "../../harness/api.ts";
import type { BenchContext } from "../../harness/bench.ts";
import { postgresVersion, withSuperuser } from "../../harness/postgres.ts";
import { type Identity, makeIdentities, TENANT_SIZE } from "./tokens.ts";

/** A running Ambit with one app: a table for each kind of policy, and users. */
export interface Stand {
  readonly ambit: RunningAmbit;
  readonly appId: string;
  readonly api: Api;
  readonly users: readonly Identity[];
  /** Path of the app's live changes. */
  readonly path: string;
  /** Of the Postgres. */
  readonly version: string;
}

const table = (column: string, type: string) => ({
  columns: {
    id: { type: "bigint", primaryKey: true },
    at: { type: "bigint", nullable: false },
    [column]: { type, nullable: false },
    body: { type: "text", nullable: false },
  },
});

const TABLES = {
  owned: table("user_id", "text"),
  tenanted: table("tenant", "text"),
  open: table("topic", "text"),
  teamed: table("team", "bigint"),
  members: {
    columns: {
      id: { type: "bigint", primaryKey: true },
      team: { type: "bigint", nullable: false },
      user_id: { type: "text", nullable: false },
    },
    indexes: { members_user: { columns: ["user_id"] } },
  },
};

const POLICIES = {
  owned: "user_id = current_user_id()",
  tenanted: "tenant = (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'tenant')",
  open: "true",
  teamed: "team in (select m.team from members m where m.user_id = current_user_id())",
  members: "user_id = current_user_id()",
};

/** Starts it, with so many users; it ends with the bench. */
export async function openStand(
  { resources, profileDir }: BenchContext,
  users: number,
  realtime = true,
): Promise<Stand> {
  const dataDir = newDataDir(resources);
  const profiling = profileDir === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileDir}`];
  const ambit = await startAmbit(resources, dataDir, profiling);
  const api = apiOf(ambit, ambit.apiKey);
  const { app_id: appId } = await api("POST", "/init", { name: "bench" });
  await api("POST", `/v1/${appId}/schema/apply`, { schema: { tables: TABLES } });
  for (const [table_name, using_expression] of Object.entries(POLICIES)) {
    const policy = { table_name, policy_name: "see", command: "SELECT", using_expression };
    await api("POST", `/v1/${appId}/rls/policies`, policy);
  }
  if (realtime)
    await api("POST", `/v1/${appId}/realtime/configure`, { tables: ["owned", "tenanted", "open", "teamed"] });
  const identities = users === 0 ? [] : await makeIdentities(dataDir, appId, users);
  const teams = identities.map((_, index) => Math.floor(index / TENANT_SIZE));
  await withSuperuser(dataDir, (client) =>
    client.query(
      `insert into ${appId}.members (id, team, user_id)
       select row_number() over (), team, user_id from unnest($1::bigint[], $2::text[]) as m (team, user_id)`,
      [teams, identities.map(({ id }) => id)],
    ),
  );
  return {
    ambit,
    appId,
    api,
    users: identities,
    path: `/v1/${appId}/realtime`,
    version: await postgresVersion(dataDir),
  };
}
