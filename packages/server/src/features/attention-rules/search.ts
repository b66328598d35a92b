import { setImmediate as nextTurn } from "node:timers/promises";
import { AmbitError } from "../../kernel/errors.ts";
import type { MemoryService } from "../memory/service.ts";
import type { SnapshotsService } from "../snapshots/service.ts";
import { rowBinding, rowVariables, snapshotBinding } from "./bindings.ts";
import { type Condition, SOURCES } from "./condition.ts";
import { limits } from "./limits.ts";
import { createBudget } from "./logic/budget.ts";
import { createEvaluate } from "./logic/evaluate.ts";
import type { Binding, Findings } from "./types.ts";

/** Where conditions look. */
export interface Sources {
  readonly memory: Pick<MemoryService, "list">;
  readonly snapshots: Pick<SnapshotsService, "today">;
}

/**
 * What a condition holds for in an organisation now. Rows are looked at from the latest changed on. One that can't be
 * judged (its field is no number, say) is no match, and the note tells. Throws RULE_CONDITION_FAILED when nothing can
 * be said at all.
 */
export function find(
  sources: Sources,
  organizationId: string,
  condition: Condition,
  nowMs: number,
): Promise<Findings> {
  return condition.mode === "snapshot_predicate"
    ? inSnapshot(sources, organizationId, condition, nowMs)
    : inRows(sources, organizationId, condition, nowMs);
}

async function inSnapshot(
  { snapshots }: Sources,
  organizationId: string,
  { logic }: Extract<Condition, { mode: "snapshot_predicate" }>,
  nowMs: number,
): Promise<Findings> {
  const binding = snapshotBinding(await snapshots.today(organizationId, nowMs), nowMs);
  const holds = createEvaluate(createBudget(), nowMs)(logic, binding.variables);
  return holds ? { bindings: [binding], note: null } : { bindings: [], note: "The condition does not hold." };
}

async function inRows(
  { memory }: Sources,
  organizationId: string,
  { from, type, status, logic, limit }: Extract<Condition, { mode: "row_query" }>,
  nowMs: number,
): Promise<Findings> {
  const budget = createBudget();
  const evaluate = createEvaluate(budget, nowMs);
  const bindings: Binding[] = [];
  const unjudged = createUnjudged();
  let seen = 0;
  let before: string | undefined;
  let steps = 0;
  for (;;) {
    const page = await memory.list(
      { organizationId, scope: null },
      {
        kinds: [SOURCES[from]],
        subtype: type ?? undefined,
        status: status ?? undefined,
        limit: limits.rowsPerPage,
        before,
      },
    );
    for (const record of page.records) {
      seen += 1;
      budget.nextRow();
      if (unjudged.judge(record.id, () => evaluate(logic, rowVariables(record, nowMs)))) {
        if (bindings.length === limit)
          return { bindings, note: unjudged.note(`More than ${limit} rows match.`) };
        bindings.push(rowBinding(record, nowMs));
      }
      steps += budget.taken();
      if (steps > limits.stepsBetweenTurns) {
        steps = 0;
        await nextTurn();
      }
    }
    if (page.nextBefore === null) break;
    if (seen >= limits.rowsLookedAt) {
      return { bindings, note: unjudged.note(`Only the ${seen} rows changed last were looked at.`) };
    }
    before = page.nextBefore;
  }
  return { bindings, note: unjudged.note(bindings.length === 0 ? "No row matches." : null) };
}

/** Keeps count of rows that could not be judged. */
function createUnjudged() {
  let count = 0;
  let example = "";
  return {
    judge(id: string, evaluate: () => boolean): boolean {
      try {
        return evaluate();
      } catch (error) {
        if (!(error instanceof AmbitError) || exhausted(error)) throw error;
        if (count === 0) example = `${id}: ${error.message}`;
        count += 1;
        return false;
      }
    },
    note(other: string | null): string | null {
      if (count === 0) return other;
      const rows = count === 1 ? "1 row could not be judged" : `${count} rows could not be judged`;
      return [other, `${rows} (${example})`].filter((part) => part !== null).join(" ");
    },
  };
}

const exhausted = ({ details }: AmbitError): boolean =>
  (details as { exhausted?: string } | undefined)?.exhausted === "firing";
