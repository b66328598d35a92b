import { z } from "zod";
import { memoryErrors } from "../../errors.ts";
import { limits } from "../../limits.ts";
import type { MemoryRecord } from "../../types.ts";
import type { EntityData } from "../../write/data.ts";
import { holdTarget } from "../../write/resolve.ts";
import { entityIdentities, type Identity } from "../../write/shape.ts";
import { holdKnownBy } from "../../write/store.ts";
import { type Context, capability } from "../capability.ts";
import { bound, email, id, name, object, title, value } from "../payload.ts";
import { upserted } from "../upsert.ts";
import { ambiguous, keysTaken } from "./ambiguous.ts";
import { ENTITY_TYPES, mergeFacts } from "./entity-data.ts";

const keyName = name
  .refine((key) => /^[\w.:-]+$/.test(key), "may have letters, digits and _ . : -")
  .refine((key) => key !== "app_user", "app_user is what linked_app_user_id stands for")
  .refine((key) => key !== "__proto__", "can't be __proto__");

const keyValue = z
  .union([value, z.number()], { error: "must be a text or a number that is not empty" })
  .transform(String);

const canonicalKeys = z
  .record(keyName, keyValue)
  .refine(
    (keys) => Object.keys(keys).length <= limits.canonicalKeys,
    bound("memory_canonical_keys", `has at most ${limits.canonicalKeys} keys`),
  )
  .refine((keys) => keys.email === undefined || email.safeParse(keys.email).success, {
    path: ["email"],
    message: "is no e-mail address",
  });

const payload = z.strictObject({
  type: z.enum(ENTITY_TYPES),
  display_name: title,
  id: id.optional(),
  primary_email: email.optional(),
  canonical_keys: canonicalKeys.optional(),
  linked_app_user_id: z
    .guid()
    .transform((uuid) => uuid.toLowerCase())
    .optional(),
  linked_app_id: name.optional(),
  attrs: object.optional(),
});

type Payload = z.output<typeof payload>;

/**
 * Found by id, then by any key or the e-mail within its type; else made. What is there is merged with what is given,
 * see `mergeFacts`.
 */
export const upsertEntity = capability({
  name: "upsert_entity",
  summary:
    "Records a person, company, project …, or what else is known of one that its keys or e-mail lead to.",
  payload,
  nullIsAbsent: true,
  run: (context, given) =>
    upserted(context, {
      find: () => holdEntity(context, given),
      write(unit, existing) {
        const data = mergeFacts(existing === null ? null : (existing.data as EntityData), given);
        if (existing === null) return unit.create("entity", data);
        return unit.change({ ...existing, kind: "entity" }, data);
      },
      conflict: (existing, taken) => keysTaken(context, existing, taken),
      result: (entity, before) => ({
        entity_id: entity.id,
        was_insert: before === null,
        updated_at: entity.updated_at,
      }),
    }),
});

/** The entity the payload means, held for a change; null when it is a new one. */
async function holdEntity({ tx, work }: Context, given: Payload): Promise<MemoryRecord | null> {
  const keys = entityIdentities(mergeFacts(null, given));
  if (given.id === undefined && keys.length === 0) return null;
  const found = (await holdKnownBy(tx, work.organizationId, given.id ?? null, keys)).filter(isEntity);
  // An id that leads nowhere by itself may be that of an entity merged away.
  if (given.id !== undefined && !found.some((each) => each.id === given.id)) {
    const target = await holdTarget(tx, work, { kind: "entity", id: given.id, hold: "change" });
    if (!found.some((each) => each.id === target.id)) found.push(target);
  }
  if (found.length > 1) throw ambiguous(found, keys);
  const entity = found[0] ?? null;
  if (entity !== null) refuseOtherType(entity, given.type);
  return entity;
}

const isEntity = ({ kind }: MemoryRecord): boolean => kind === "entity";

function refuseOtherType({ id: entityId, subtype }: MemoryRecord, type: Identity["type"]): void {
  if (subtype === type) return;
  throw memoryErrors.ENTITY_TYPE_MISMATCH({ message: `${entityId} is of type ${subtype}, not ${type}.` });
}
