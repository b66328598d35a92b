import type { Platform } from "../../../engines/platform.ts";
import type { Queryable } from "../../../engines/postgres/database.ts";
import type { JsonObject } from "../../ledger/service.ts";
import type { CheckConstraint } from "../capabilities/capability.ts";
import { contextOf } from "../capabilities/capability.ts";
import { memoryCapabilities } from "../capabilities/index.ts";
import { parsePayload, payloadSchema } from "../capabilities/payload.ts";
import { planRevert, revertAction } from "../revert/revert.ts";
import type { MemoryService } from "../service.ts";
import type { Principle } from "../types.ts";
import { actionsOf } from "./actions-of.ts";
import { eraseRecord } from "./erase.ts";
import { selectPrinciples } from "./store.ts";

/** The part of the memory that writes. */
export type MemoryWriter = Pick<
  MemoryService,
  "capabilities" | "execute" | "revert" | "planRevert" | "principles" | "erase" | "actionsOf"
>;

/** Writes the memory; `checkConstraint` says which constraints a principle may have. */
export function createMemoryWriter({ metrics }: Platform, checkConstraint: CheckConstraint): MemoryWriter {
  const hit = (limit: string) => metrics.limitsHit.inc({ limit });
  const declared = new Map(memoryCapabilities(checkConstraint).map((each) => [each.name, each]));
  const capabilities = new Map(
    [...declared].map(([name, declaration]) => [
      name,
      {
        name,
        summary: declaration.summary,
        payloadSchema: payloadSchema(declaration),
        parse: (payload: JsonObject) => parsePayload(declaration, payload, hit),
      },
    ]),
  );
  return {
    capabilities,
    async execute(tx, work, name, payload) {
      const declaration = declared.get(name);
      if (declaration === undefined) throw new Error(`the memory has no capability ${name}`);
      const parsed = parsePayload(declaration, payload, hit);
      return declaration.run(contextOf(tx, work, hit), parsed);
    },
    revert: (tx, work, targetActionId) => revertAction(tx, work, targetActionId, hit),
    planRevert,
    principles,
    erase: eraseRecord,
    actionsOf,
  };
}

async function principles(db: Queryable, organizationId: string): Promise<Principle[]> {
  const rows = await selectPrinciples(db, organizationId);
  return rows.map(({ id, data }) => ({
    id,
    title: data.title as string,
    rationale: data.rationale as string | null,
    appliesTo: (data.applies_to ?? {}) as JsonObject,
    constraint: data.constraint_spec as JsonObject,
  }));
}
