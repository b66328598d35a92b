import fc from "fast-check";
import { deleteEntity, merge, patchEntity, updateEntity, upsertEntity } from "./entity-moves.ts";
import type { MakeMove } from "./move.ts";
import {
  amend,
  artifact,
  commitment,
  decision,
  learning,
  link,
  principle,
  supersede,
} from "./record-moves.ts";

export interface Revert {
  /** Which of the actions so far. */
  readonly revert: number;
}

/** A step says little by itself; the run that failed tells what it came to. */
const quiet = (arbitrary: fc.Arbitrary<MakeMove>): fc.Arbitrary<MakeMove> =>
  arbitrary.map((move) => Object.assign(move, { [fc.toStringMethod]: () => "move" }));

/** Steps in a mixture that lets records come together: many entities with few keys, and much that refers to them. */
export const steps = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: quiet(upsertEntity) },
    { weight: 3, arbitrary: quiet(patchEntity) },
    { weight: 1, arbitrary: quiet(updateEntity) },
    { weight: 5, arbitrary: quiet(merge) },
    { weight: 3, arbitrary: quiet(deleteEntity) },
    { weight: 4, arbitrary: quiet(commitment) },
    { weight: 2, arbitrary: quiet(decision) },
    { weight: 1, arbitrary: quiet(principle) },
    { weight: 2, arbitrary: quiet(amend) },
    { weight: 2, arbitrary: quiet(supersede) },
    { weight: 2, arbitrary: quiet(learning) },
    { weight: 4, arbitrary: quiet(artifact) },
    { weight: 6, arbitrary: quiet(link) },
    { weight: 16, arbitrary: fc.record({ revert: fc.noBias(fc.nat(6)) }) },
  ),
  { minLength: 30, maxLength: 70, size: "max" },
);
