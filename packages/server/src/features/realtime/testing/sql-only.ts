import type { RuleSource } from "../rule-source.ts";

/** Postgres judges everything. */
export const sqlOnly: RuleSource = {
  compiled: async () => null,
  members: async () => ({ snapshot: "", rows: [] }),
  distrust: () => {},
};
