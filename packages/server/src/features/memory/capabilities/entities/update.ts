import { z } from "zod";
import { memoryErrors } from "../../errors.ts";
import type { MemoryOutcome, MemoryRecord } from "../../types.ts";
import type { EntityData } from "../../write/data.ts";
import { holdTarget } from "../../write/resolve.ts";
import { type Context, capability } from "../capability.ts";
import { email, id, instant, object, title } from "../payload.ts";
import { upserted } from "../upsert.ts";
import { keysTaken } from "./ambiguous.ts";
import { changeEntity, type EntityChange } from "./entity-data.ts";

const given = (payload: object, fields: readonly string[]) =>
  fields.some((field) => (payload as Record<string, unknown>)[field] !== undefined);
const oneOf = (fields: readonly string[]) => ({ message: `needs at least one of ${fields.join(", ")}` });

const UPDATED = ["display_name", "primary_email", "attrs"];
const PATCHED = ["display_name", "primary_email", "attrs_patch"];

export const updateEntity = capability({
  name: "update_entity",
  summary: "Replaces fields of an entity; attrs as a whole.",
  payload: z
    .strictObject({
      id,
      display_name: title.optional(),
      primary_email: email.nullable().optional(),
      attrs: object.optional(),
    })
    .refine((payload) => given(payload, UPDATED), oneOf(UPDATED)),
  nullIsAbsent: false,
  run: (context, { id: entityId, ...change }) => changed(context, entityId, change),
});

export const patchEntity = capability({
  name: "patch_entity",
  summary:
    "Changes an entity in part, attrs by a JSON merge patch; with if_updated_at only if nobody else has changed it since.",
  payload: z
    .strictObject({
      id,
      display_name: title.optional(),
      primary_email: email.nullable().optional(),
      attrs_patch: object.optional(),
      if_updated_at: instant.optional(),
    })
    .refine((payload) => given(payload, PATCHED), oneOf(PATCHED)),
  nullIsAbsent: false,
  run: (context, { id: entityId, if_updated_at, ...change }) =>
    changed(context, entityId, change, if_updated_at),
});

function changed(
  context: Context,
  entityId: string,
  change: EntityChange,
  ifUpdatedAt?: string,
): Promise<MemoryOutcome> {
  const { tx, work } = context;
  return upserted(context, {
    async find() {
      const entity = await holdTarget(tx, work, { kind: "entity", id: entityId, hold: "change" });
      if (ifUpdatedAt !== undefined) refuseChangedSince(entity, ifUpdatedAt);
      return entity;
    },
    write(unit, existing) {
      const entity = { ...existing!, kind: "entity" as const };
      return unit.change(entity, changeEntity(entity.data as EntityData, change));
    },
    conflict: (existing, taken) => keysTaken(context, existing, taken),
    result: (entity) => ({ entity_id: entity.id, updated_at: entity.updated_at }),
  });
}

function refuseChangedSince({ id: entityId, updated_at }: MemoryRecord, expected: string): void {
  if (updated_at === expected) return;
  throw memoryErrors.ENTITY_CHANGED({
    message: `${entityId} has been changed since: its updated_at is ${updated_at}, not ${expected}.`,
    details: { entity_id: entityId, updated_at },
  });
}
