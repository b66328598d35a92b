import type { Target } from "../../harness/bench.ts";
import type { Stand } from "./stand.ts";
import { TENANT_SIZE } from "./tokens.ts";
import type { Aim } from "./writer-worker.ts";

/** Who watches what, how it is written, and what is expected of it. */
export interface Scene {
  readonly name: string;
  readonly table: "owned" | "tenanted" | "open" | "teamed";
  readonly clients: number;
  readonly policy: string;
  /** A backlog that is worked off, or a steady rate. */
  readonly kind: "drain" | "live";
  /** Changes of the backlog, or per second. */
  readonly changes: number;
  readonly target: Target;
}

const owner = "owner's policy (user_id = current_user_id()), each client a user of their own";
export const SCENES: readonly Scene[] = [
  {
    ...{
      name: "owner_drain",
      table: "owned",
      clients: 10_000,
      policy: owner,
      kind: "drain",
      changes: 150_000,
    },
    target: { of: "value", bound: "≥", number: 30_000 },
  },
  {
    ...{ name: "owner_live", table: "owned", clients: 10_000, policy: owner, kind: "live", changes: 5_000 },
    target: { of: "value", bound: "≤", number: 15 },
  },
  {
    ...{ name: "tenant_drain", table: "tenanted", clients: 10_000, kind: "drain", changes: 8_000 },
    policy: `a claim names the tenant, ${TENANT_SIZE} clients each`,
    target: { of: "value", bound: "≥", number: 1_600 },
  },
  {
    ...{ name: "public_live", table: "open", clients: 1_000, policy: "true", kind: "live", changes: 500 },
    target: { of: "value", bound: "≤", number: 100 },
  },
  {
    ...{ name: "subquery_live", table: "teamed", clients: 5_000, kind: "live", changes: 300 },
    policy: `members of a team, by a subquery on another table, ${TENANT_SIZE} clients each`,
    target: { of: "value", bound: "≤", number: 150 },
  },
];

/** Which client is to be shown which rows. */
export function groupOfClient(scene: Scene, index: number): number {
  if (scene.table === "owned") return index;
  return scene.table === "open" ? 0 : Math.floor(index / TENANT_SIZE);
}

/** What the writer writes for so many clients. */
export function aimOf(scene: Scene, stand: Stand, clients: number): Aim {
  const table = `${stand.appId}.${scene.table}`;
  const groups = groupOfClient(scene, clients - 1) + 1;
  const numbered = Array.from({ length: groups }, (_, group) => String(group));
  switch (scene.table) {
    case "owned":
      return {
        table,
        column: "user_id",
        type: "text",
        keys: stand.users.slice(0, clients).map(({ id }) => id),
      };
    case "tenanted":
      return { table, column: "tenant", type: "text", keys: numbered };
    case "open":
      return { table, column: "topic", type: "text", keys: numbered };
    case "teamed":
      return { table, column: "team", type: "bigint", keys: numbered };
  }
}
