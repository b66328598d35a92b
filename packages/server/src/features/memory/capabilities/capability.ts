import type { z } from "zod";
import type { Transaction } from "../../../engines/postgres/database.ts";
import type { JsonObject } from "../../ledger/service.ts";
import type { MemoryOutcome, MemoryWork } from "../types.ts";
import type { LimitHit } from "../write/retry.ts";
import { createUnit, type Unit } from "../write/unit.ts";

/** What a principle's constraint lacks, for people to read; null when it can be applied. */
export type CheckConstraint = (spec: JsonObject) => string | null;

/** What a capability works with. */
export interface Context {
  readonly tx: Transaction;
  readonly work: MemoryWork;
  readonly hit: LimitHit;
  /** Begins gathering changes; once more after a failed try. */
  begin(): Unit;
}

/** A way to write the memory, as it is declared. */
export interface Declaration<S extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  /** One sentence for whoever chooses between capabilities. */
  readonly summary: string;
  readonly payload: S;
  /** A field with null counts as not sent; otherwise null means something to the capability. */
  readonly nullIsAbsent: boolean;
  run(context: Context, payload: z.output<S>): Promise<MemoryOutcome>;
}

/** Declares a capability. Only gives the types; nothing runs. */
export function capability<S extends z.ZodObject>(declaration: Declaration<S>): Declaration {
  return declaration as unknown as Declaration;
}

export function contextOf(tx: Transaction, work: MemoryWork, hit: LimitHit): Context {
  return { tx, work, hit, begin: () => createUnit(tx, work, hit) };
}
