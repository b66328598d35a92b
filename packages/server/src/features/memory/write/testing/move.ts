import fc from "fast-check";
import type { JsonObject } from "../../../ledger/service.ts";
import type { Data, Model } from "./model.ts";

/**
 * One step: what is asked of the memory, what the model says to it, and which of the new ids in the answer stands for
 * which record of the model. `pick` turns a number into an id that may or may not be there.
 */
export interface Move {
  readonly capability: string;
  readonly payload: JsonObject;
  /** Changes the model, or throws Refused; `made` gives the id the memory gave to its new record. */
  apply(model: Model, action: string, made: string): void;
  /** Field of the result with the id of what was made. */
  readonly idField: string;
}

export type Pick = (index: number, prefix: string) => string;
export type MakeMove = (pick: Pick) => Move;

/** Which of the ids there are; 0 is one that there is not. */
export const index = fc.noBias(fc.integer({ min: 0, max: 40 }));
export const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
/** A payload without what is undefined. */
export const given = (fields: Data): JsonObject =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
