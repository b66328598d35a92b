import type { ReadScope, RecordKind } from "../memory/service.ts";
import type { ChangeOp, RowFacts, SubstrateChange } from "./changes.ts";

/**
 * What a change is to a reader: null when it is none of theirs. Pure. A row that comes into what they may see is an
 * insert to them, one that leaves it a delete, whatever was done to it; judged by the images in the log.
 */
export function opFor(change: SubstrateChange, scope: ReadScope | null): ChangeOp | null {
  if (scope === null) return change.op;
  const saw = change.before !== null && maySee(change.tbl, change.before, scope);
  const sees = change.after !== null && maySee(change.tbl, change.after, scope);
  if (saw && sees) return "update";
  if (sees) return "insert";
  return saw ? "delete" : null;
}

/**
 * Whether a change may also change which links this reader sees, without the links changing: a record they join has
 * come into its view or left it. Pure.
 */
export function movesLinks(change: SubstrateChange, op: ChangeOp, scope: ReadScope): boolean {
  const { kinds } = scope;
  return change.op === "update" && op !== "update" && (kinds === undefined || kinds.includes("link"));
}

/**
 * A linked app hears of records its link lets it read and of actions it proposed itself; of rules, firings and
 * approvals not at all. The same as `isVisible` in features/memory/read/scope.ts, for images in the log.
 */
function maySee(tbl: string, facts: RowFacts, scope: ReadScope): boolean {
  if (tbl === "action_ledger") return facts.sourceAppId === scope.appId;
  if (!isOfScope(facts, scope) || (scope.ownOnly && facts.sourceAppId !== scope.appId)) return false;
  if (facts.kind !== "link" || (scope.kinds === undefined && scope.entityTypes === undefined)) return true;
  return facts.ends?.every((end) => end !== null && isOfScope(end, scope)) ?? false;
}

function isOfScope({ kind, subtype }: Pick<RowFacts, "kind" | "subtype">, scope: ReadScope): boolean {
  if (kind === null) return false;
  if (scope.kinds !== undefined && !scope.kinds.includes(kind as RecordKind)) return false;
  return kind !== "entity" || scope.entityTypes === undefined || scope.entityTypes.includes(subtype ?? "");
}
