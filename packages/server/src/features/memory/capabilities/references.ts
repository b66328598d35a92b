import type { JsonObject } from "../../ledger/service.ts";
import { idsIn, type ReferenceField } from "../write/data.ts";
import type { Wanted } from "../write/resolve.ts";

/** The records a payload names in these fields. Pure. */
export function wantedBy(fields: readonly ReferenceField[], payload: object): Wanted[] {
  return fields.flatMap(({ field, kinds }) =>
    idsIn(payload as JsonObject, field).map((id) => ({ field, id, kinds })),
  );
}
