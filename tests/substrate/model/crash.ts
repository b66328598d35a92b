import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Answer } from "../../support/api.ts";
import { allPages, type Caller, propose, SUBSTRATE } from "../../support/substrate.ts";
import type { Data } from "./memory.ts";
import {
  getAction,
  proposerOf,
  type Run,
  readRow,
  rowOf,
  seenResult,
  stepDecide,
  stepPropose,
} from "./steps.ts";
import type { Action, Proposal } from "./world.ts";

/** A proposal that is under way when everything ends, and what its caller was told. */
interface Flight {
  readonly caller: Caller;
  readonly proposal: Proposal & { readonly key: string };
  /** Null: nothing came back. */
  answer: Answer | null;
}

/** An approval that is under way. */
interface Approving {
  readonly action: Action;
  answer: Answer | null;
}

let keys = 0;

/**
 * Sends proposals and approvals that have nothing to do with each other, ends the server amidst them, has it come back,
 * and finds each of them done wholly or not at all. What is asked again under its key is then there exactly once.
 */
export async function crashAmidst(run: Run, end: () => Promise<void>): Promise<void> {
  const { dice, staff, trail } = run;
  const approving = await waitingPrinciples(run, 1 + dice.int(3));
  const flights = newFlights(run);
  trail.push(`${flights.length} proposals and ${approving.length} approvals are sent, and it ends`);
  let answered = 0;
  const told = <T extends { answer: Answer | null }>(flight: T, sent: Promise<Answer>) =>
    sent.then(
      (answer) => {
        flight.answer = answer;
        answered += 1;
      },
      () => {},
    );
  const sent = [
    ...flights.map((flight) => told(flight, send(flight))),
    ...approving.map((each) =>
      told(each, staff.manager.api("POST", `${SUBSTRATE}/actions/${each.action.id}/approve`, {})),
    ),
  ];
  const enough = dice.int(sent.length);
  for (const until = Date.now() + 5_000; answered < enough && Date.now() < until; ) await sleep(1);
  await sleep(dice.int(12));
  await end();
  await Promise.all(sent);
  trail.push(`  → ${answered} of ${sent.length} had been answered`);
  await settleFlights(run, flights);
  await settleApprovals(run, approving);
}

const send = ({ caller, proposal: { capability, sent, key } }: Flight): Promise<Answer> =>
  propose(caller.api, capability, sent, { idempotency_key: key });

function newFlights({ dice, staff, world, proposals }: Run): Flight[] {
  const callers = [staff.owner, staff.developer, ...staff.agents, staff.appKey];
  const flight = (proposal: Proposal): Flight => ({
    ...{ caller: dice.pick(callers), answer: null },
    proposal: { ...proposal, key: `flight-${keys++}` },
  });
  const entities = world.memory.all().filter(({ state }) => state.kind === "entity");
  return [
    ...dice.some(entities, 3).map(({ id, state }) => flight(proposals.about(id, state.data.type))),
    ...Array.from({ length: 8 + dice.int(14) }, () => flight(proposals.alone())),
  ];
}

/** Principles about what nobody does here, waiting for one person to agree. */
async function waitingPrinciples(run: Run, count: number): Promise<Approving[]> {
  const { world, staff } = run;
  const before = new Set(world.actions.keys());
  for (let n = 0; n < count; n++) {
    const payload = {
      ...{ title: `Calls ${n}`, applies_to: { capability: "place_call" }, salience: "ambient" },
      constraint_spec: { type: "max_per_day", params: { n: 1_000 } },
    };
    await stepPropose(run, staff.agents[1]!, {
      capability: "record_principle",
      sent: payload,
      stored: payload,
    });
  }
  const made = [...world.actions.values()].filter(({ id }) => !before.has(id));
  const waiting = made.filter(({ status, approvers }) => status === "proposed" && approvers === 1);
  return waiting.map((action) => ({ action, answer: null }));
}

async function settleFlights(run: Run, flights: readonly Flight[]): Promise<void> {
  const { world, staff, trail } = run;
  const rows: Data[] = await allPages(staff.owner.api, `${SUBSTRATE}/actions?limit=500`, "actions", {
    ...{ answer: "next_before", query: "before" },
  });
  const happened = flights.flatMap((flight) => {
    const found = rows.filter((row) => row.idempotency_key === flight.proposal.key);
    expect(found.length, `actions under ${flight.proposal.key}`).toBeLessThan(2);
    const ok = flight.answer?.status === 200;
    if (ok) expect(found[0]?.id, `${flight.proposal.key} was answered`).toBe(flight.answer!.body.action_id);
    trail.push(`  ${flight.proposal.key} ${found.length === 1 ? "happened" : "did not happen"}`);
    return found.map((row) => ({ flight, row }));
  });
  const conflictsOf = ({ flight, row }: (typeof happened)[number]) =>
    world.judge(proposerOf(flight.caller), flight.proposal, Date.parse(row.proposed_at)).conflicts;
  const early = new Map(happened.map((each) => [each.row.id, conflictsOf(each)]));
  const wasDone = ({ row }: { row: Data }) => row.executed_at !== null;
  // What was let through takes room from the rest, whatever their order was; what waits or was rejected takes none.
  for (const { flight, row } of happened.filter(wasDone)) takeOver(run, flight, row, undefined);
  for (const each of happened.filter((one) => !wasDone(one))) {
    const verdict = readRow(each.row).verdict as Action["verdict"];
    expect(conflictsOf(each), "what may stand against it at the latest").toEqual(
      expect.arrayContaining([...verdict.conflicts]),
    );
    expect(verdict.conflicts, "what did from the first").toEqual(
      expect.arrayContaining(early.get(each.row.id)!),
    );
    takeOver(run, each.flight, each.row, verdict);
  }
  for (const { caller, proposal } of flights) await stepPropose(run, caller, proposal);
}

/** Has the model do what the server did, and compares the row. */
function takeOver(
  { world }: Run,
  { caller, proposal }: Flight,
  row: Data,
  verdict: Action["verdict"] | undefined,
): void {
  const seen = { id: row.id, at: Date.parse(row.proposed_at), result: seenResult(row.result) };
  const expected = world.propose(
    proposerOf(caller),
    proposal,
    verdict === undefined ? seen : { ...seen, verdict },
    seen.at,
  );
  if ("error" in expected) throw new Error(`${proposal.key} happened, and should be ${expected.error}`);
  expect(readRow(row), `the row of ${proposal.key}`).toEqual(rowOf(world, expected.action, null));
}

async function settleApprovals(run: Run, approving: readonly Approving[]): Promise<void> {
  const { world, staff, trail } = run;
  const manager = { ...staff.manager, mayDecide: true };
  for (const { action, answer } of approving) {
    const row = await getAction(run, action.id);
    trail.push(`  the approval of ${action.id} ${row.status === "proposed" ? "did not happen" : "happened"}`);
    if (answer?.status === 200) expect(row.status, `${action.id} was approved`).not.toBe("proposed");
    if (row.status !== "proposed") {
      const seen = { id: row.id, at: Date.parse(row.decided_at), result: seenResult(row.result) };
      world.decide(manager, action, "approve", seen);
    }
    expect(readRow(row), "an action that was being approved").toEqual(rowOf(world, action, null));
    expect(row.approval.decisions).toHaveLength(action.votes.length);
    await stepDecide(run, staff.manager, action.id, "approve");
  }
}
