import type { LoadedMembers } from "./memberships.ts";
import type { CompiledRule, SetSource } from "./policies/types.ts";
import type { TableView, ViewerRole } from "./table-view.ts";

/** Gives policies in a form that needs no SQL, where there is one that was found equal. */
export interface RuleSource {
  /** The role's rule of a table; null: Postgres has to judge. Rejects only if the database does not answer. */
  compiled(appId: string, view: TableView, role: ViewerRole): Promise<CompiledRule | null>;
  /** The members of a source as they are now. */
  members(appId: string, source: SetSource): Promise<LoadedMembers>;
  /** The rule was found to differ from Postgres: it is not given again. */
  distrust(rule: CompiledRule): void;
}
