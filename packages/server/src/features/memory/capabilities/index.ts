import { artifactCapabilities } from "./artifacts.ts";
import type { CheckConstraint, Declaration } from "./capability.ts";
import { decisionCapabilities } from "./decisions.ts";
import { mergeEntities } from "./entities/merge.ts";
import { deleteEntity } from "./entities/remove.ts";
import { patchEntity, updateEntity } from "./entities/update.ts";
import { upsertEntity } from "./entities/upsert.ts";
import { linkCapabilities } from "./links.ts";
import { principleCapabilities } from "./principles.ts";
import { recordCapabilities } from "./records.ts";

/** Every way to write the memory. */
export function memoryCapabilities(checkConstraint: CheckConstraint): readonly Declaration[] {
  return [
    ...decisionCapabilities,
    ...recordCapabilities,
    upsertEntity,
    updateEntity,
    patchEntity,
    ...artifactCapabilities,
    ...linkCapabilities,
    ...principleCapabilities(checkConstraint),
    deleteEntity,
    mergeEntities,
  ];
}
