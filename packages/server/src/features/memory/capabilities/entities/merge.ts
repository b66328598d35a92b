import { z } from "zod";
import type { Transaction } from "../../../../engines/postgres/database.ts";
import { errors } from "../../../../kernel/errors.ts";
import { memoryErrors } from "../../errors.ts";
import { limits } from "../../limits.ts";
import type { MemoryOutcome, MemoryRecord } from "../../types.ts";
import { type EntityData, type LinkData, REFERENCE_FIELDS, withReferences } from "../../write/data.ts";
import { mergedAway } from "../../write/resolve.ts";
import { repeated } from "../../write/retry.ts";
import { identityKey, linkIdentity } from "../../write/shape.ts";
import { holdRecords, selectAliases, selectOwners, selectReferrers } from "../../write/store.ts";
import type { Unit } from "../../write/unit.ts";
import { type Context, capability } from "../capability.ts";
import { id, longText } from "../payload.ts";
import { absorb } from "./entity-data.ts";

export const mergeEntities = capability({
  name: "merge_entities",
  summary: "Merges an entity into another; whatever refers to the first refers to the second from then on.",
  payload: z.strictObject({ loser_id: id, winner_id: id, reason: longText }),
  nullIsAbsent: true,
  run: (context, { loser_id, winner_id }) =>
    repeated(context.tx, context.hit, (tx) => merge(context, tx, loser_id, winner_id)),
});

async function merge(
  context: Context,
  tx: Transaction,
  loserId: string,
  winnerId: string,
): Promise<MemoryOutcome> {
  const { loser, winner } = await holdBoth(context, tx, loserId, winnerId);
  if (loser.subtype !== winner.subtype) {
    throw memoryErrors.ENTITY_TYPE_MISMATCH({
      message: `${loser.id} is of type ${loser.subtype}, ${winner.id} of type ${winner.subtype}; only entities of one type can be merged.`,
    });
  }
  const unit = context.begin();
  unit.remove(loser);
  unit.change(
    { ...winner, kind: "entity" },
    absorb(winner.data as EntityData, loser.data as EntityData, loser.id),
  );
  const rewritten = await rewriteReferrers(context, tx, unit, loser.id, winner.id);
  await unit.write();
  return unit.outcome({ entity_id: winner.id, merged_id: loser.id, references_rewritten: rewritten });
}

async function holdBoth({ work }: Context, tx: Transaction, loserId: string, winnerId: string) {
  const { organizationId } = work;
  const aliases = await selectAliases(tx, organizationId, [loserId, winnerId]);
  const winnerNow = aliases.get(winnerId) ?? winnerId;
  const away = aliases.get(loserId);
  if (away !== undefined) throw mergedAway(loserId, away);
  if (winnerNow === loserId) {
    throw errors.VALIDATION_INVALID_SCHEMA({
      message: `${loserId} can't be merged into itself.`,
      details: [{ path: "winner_id", message: "is the same entity as loser_id", code: "custom" }],
    });
  }
  const found = await holdRecords(tx, organizationId, [loserId, winnerNow], "remove");
  const entity = (entityId: string): MemoryRecord => {
    const record = found.find((each) => each.id === entityId && each.kind === "entity");
    if (record !== undefined) return record;
    throw errors.RESOURCE_NOT_FOUND({
      message: `There is no entity ${entityId} in this organisation's memory.`,
      remediation: "Look it up with find_entities and use an id from there.",
    });
  };
  return { loser: entity(loserId), winner: entity(winnerNow) };
}

/**
 * Has whatever refers to the loser refer to the winner. A link that would join the winner with itself, or say what
 * another link says already, goes.
 */
async function rewriteReferrers(
  { work }: Context,
  tx: Transaction,
  unit: Unit,
  loserId: string,
  winnerId: string,
): Promise<number> {
  const { organizationId } = work;
  const referrers = await selectReferrers(tx, organizationId, loserId, limits.recordsPerAction + 1);
  const ids = [...new Set(referrers.map((each) => each.id))];
  const records = await holdRecords(tx, organizationId, ids, "change");
  const rewritten = records.map((record) => {
    const idOf = (each: string) => (each === loserId ? winnerId : each);
    return { record, data: withReferences(REFERENCE_FIELDS[record.kind], record.data, idOf) };
  });
  const links = rewritten.filter(({ record }) => record.kind === "link");
  const keys = links.map(({ data }) => linkIdentity(data as LinkData));
  const owners = keys.length === 0 ? [] : await selectOwners(tx, organizationId, keys);
  const said = new Set(owners.map(identityKey));
  for (const { record, data } of rewritten) {
    if (record.kind === "link") {
      const key = identityKey(linkIdentity(data as LinkData));
      if ((data as LinkData).from_id === (data as LinkData).to_id || said.has(key)) {
        unit.remove(record);
        continue;
      }
      said.add(key);
    }
    unit.change(record, data as never);
  }
  return records.length;
}
