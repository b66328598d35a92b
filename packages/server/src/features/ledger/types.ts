import type { Json, JsonObject, LedgerActor } from "@ambit/ledger";

export type { Json, JsonObject, LedgerActor };

/** What a feature wants written. Anything a person may ask to have erased goes into `sealed`. */
export interface LedgerDraft {
  /** `<feature>.<thing>.<what happened>`, e.g. `substrate.action.executed`. */
  readonly kind: string;
  readonly organizationId: string | null;
  readonly appId?: string | null;
  readonly actor: LedgerActor;
  /** What it is about, e.g. an action's id. */
  readonly subject?: string | null;
  /** Stays for ever, readable by everyone who gets the ledger: ids, verdicts, counts, never content. */
  readonly data?: JsonObject;
  /** Each value is kept apart with a salt, can be erased, and stands in the entry as a commitment. */
  readonly sealed?: JsonObject;
}
