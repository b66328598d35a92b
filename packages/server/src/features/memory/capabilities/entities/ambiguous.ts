import type { AmbitError } from "../../../../kernel/errors.ts";
import { memoryErrors } from "../../errors.ts";
import type { MemoryRecord } from "../../types.ts";
import { type Identity, identityKey, tiesOf } from "../../write/shape.ts";
import { selectOwners } from "../../write/store.ts";
import type { Context } from "../capability.ts";

/** ENTITY_AMBIGUOUS: the keys lead to these entities, more than one. Pure. */
export function ambiguous(
  entities: readonly Pick<MemoryRecord, "id" | "kind" | "title" | "data">[],
  keys: readonly Identity[],
): AmbitError {
  const wanted = new Set(keys.map(identityKey));
  const candidates = entities.map(({ id, kind, title, data }) => {
    const matched = tiesOf(kind, data).identities.filter((each) => wanted.has(identityKey(each)));
    return {
      entity_id: id,
      display_name: title,
      matched_by: matched.map(({ name, value }) => ({ name, value })),
    };
  });
  return named(candidates);
}

/** ENTITY_AMBIGUOUS: keys that are to be this entity's belong to others. */
export async function keysTaken(
  { tx, work }: Context,
  entity: MemoryRecord,
  taken: readonly Identity[],
): Promise<AmbitError> {
  const owners = await selectOwners(tx, work.organizationId, taken);
  const others = [...new Set(owners.map(({ id }) => id))].map((id) => {
    const keys = owners.filter((owner) => owner.id === id);
    const matched_by = keys.map(({ name, value }) => ({ name, value }));
    return { entity_id: id, display_name: keys[0]!.title, matched_by };
  });
  return named([{ entity_id: entity.id, display_name: entity.title, matched_by: [] }, ...others]);
}

function named(candidates: readonly { entity_id: string; display_name: string }[]): AmbitError {
  const names = candidates.map(({ entity_id, display_name }) => `${entity_id} (${display_name})`);
  return memoryErrors.ENTITY_AMBIGUOUS({
    message: `The keys lead to different entities: ${names.join(", ")}.`,
    details: { candidates },
  });
}
