import { z } from "zod";
import { memoryErrors } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { holdTarget } from "../../write/resolve.ts";
import { repeated } from "../../write/retry.ts";
import { selectReferrers } from "../../write/store.ts";
import { capability } from "../capability.ts";
import { id, longText } from "../payload.ts";

/** Only what nothing refers to can be deleted, so that no record ever names one that is not there. */
export const deleteEntity = capability({
  name: "delete_entity",
  summary: "Deletes an entity to which nothing refers any more.",
  payload: z.strictObject({ id, reason: longText }),
  nullIsAbsent: true,
  run: (context, payload) =>
    repeated(context.tx, context.hit, async (tx) => {
      const { work } = context;
      const target = { kind: "entity", id: payload.id, hold: "remove", throughAlias: false } as const;
      const entity = await holdTarget(tx, work, target);
      const referrers = await selectReferrers(tx, work.organizationId, entity.id, limits.listed);
      if (referrers.length > 0) {
        const named = referrers.slice(0, 5).map(({ id: from, kind }) => `${from} (${kind})`);
        throw memoryErrors.ENTITY_IN_USE({
          message: `Other records refer to ${entity.id}: ${named.join(", ")}${referrers.length > 5 ? " …" : ""}.`,
          details: { references: referrers },
        });
      }
      const unit = context.begin();
      unit.remove(entity);
      await unit.write();
      return unit.outcome({ entity_id: entity.id, removed: true });
    }),
});
