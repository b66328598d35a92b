import { expect } from "vitest";
import { must } from "../../support/app.ts";
import { allPages, SUBSTRATE, type TellEntry, verifiedLedger } from "../../support/substrate.ts";
import type { Data } from "./memory.ts";
import { modelResult, type Run, seenResult } from "./steps.ts";
import type { Action } from "./world.ts";

/** The entries an action has to have, in their order. */
function entriesOf(action: Action): string[] {
  const { status, approvers } = action;
  if (approvers === 0 || status === "proposed") return [`substrate.action.${status}`];
  return ["substrate.action.proposed", `substrate.action.${status}`];
}

function approvalEntriesOf({ status, votes }: Action): string[] {
  const cast = votes.map(({ decision }) =>
    decision === "approve" ? "approval.approved" : "approval.rejected",
  );
  const rejected = votes.some(({ decision }) => decision === "reject");
  const end = { executed: ["approval.executed"], failed: ["approval.failed"], proposed: [], rejected: [] }[
    status
  ];
  return [
    "approval.requested",
    ...cast,
    ...(status === "rejected" && !rejected ? ["approval.expired"] : end),
  ];
}

/**
 * The ledger against the model: it verifies, also by the checkpoints kept on the way, every action has exactly its
 * entries, with the payload and result that are in its row, and there is no entry of an action nobody knows.
 */
export async function compareLedger(run: Run, kept: readonly string[]): Promise<void> {
  const { world, staff, settings } = run;
  const entries = await verifiedLedger(staff.owner.api, kept);
  const rows = await allPages(staff.owner.api, `${SUBSTRATE}/actions?limit=500`, "actions", {
    ...{ answer: "next_before", query: "before" },
  });
  const named = new Map(rows.map((row) => [row.id, row.ledger_entry_id]));
  const bySubject = Map.groupBy(entries, ({ subject }) => subject ?? "");
  const expected = new Map<string, string[]>();
  for (const action of world.actions.values()) {
    expected.set(action.id, entriesOf(action));
    const told = bySubject.get(action.id) ?? [];
    compareSealed(action, told);
    expect(told[0]?.id, `the entry that ${action.id} names`).toBe(named.get(action.id));
    if (action.approvers > 0) expected.set(told[0]?.data.approval ?? "?", approvalEntriesOf(action));
  }
  const ours = entries.filter(({ kind, org }) => org !== null && /^(substrate|approval)\./.test(kind));
  const told = Map.groupBy(ours, ({ subject }) => subject!);
  const kinds = [...told].map(([subject, all]) => [subject, all.map(({ kind }) => kind)] as const);
  expect(Object.fromEntries(kinds), "entries by what they are about").toEqual(Object.fromEntries(expected));
  const changes = Map.groupBy(
    entries.filter(({ kind, data }) => kind.startsWith("audit.") && data.success),
    ({ kind }) => kind.slice("audit.".length),
  );
  for (const [operation, times] of settings)
    expect([operation, changes.get(operation)?.length ?? 0]).toEqual([operation, times]);
}

function compareSealed(action: Action, entries: readonly TellEntry[]): void {
  const [first] = entries;
  expect(first?.values.payload, `the sealed payload of ${action.id}`).toEqual(action.payload);
  expect(first?.data).toMatchObject({
    capability: action.capability,
    verdict: action.verdict.result,
    principles: action.verdict.conflicts,
  });
  if (action.status !== "executed") return;
  const { values, data } = entries.at(-1)!;
  expect(seenResult(values.result), `the sealed result of ${action.id}`).toEqual(modelResult(action.result));
  expect(data.records_changed).toBe(action.changes.length);
}

/** The export of everything against the model. */
export async function compareExport({ staff, world }: Run): Promise<void> {
  const text: string = must(await staff.owner.api("GET", `${SUBSTRATE}/export`));
  const lines = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Data);
  expect(lines[0]).toMatchObject({ type: "header", format: "ambit.substrate" });
  const counts: Record<string, number> = {};
  for (const { type } of lines.slice(1, -1)) counts[type] = (counts[type] ?? 0) + 1;
  expect(lines.at(-1)).toEqual({ type: "end", counts });
  const idsOf = (type: string) =>
    lines
      .filter((line) => line.type === type)
      .map(({ id }) => id as string)
      .sort();
  expect(idsOf("action")).toEqual([...world.actions.keys()].sort());
  expect(idsOf("record")).toEqual(
    world.memory
      .all()
      .map(({ id }) => id)
      .sort(),
  );
  const versions = [...world.memory.histories.values()].reduce((sum, each) => sum + each.length, 0);
  expect(counts.version ?? 0).toBe(versions);
}
