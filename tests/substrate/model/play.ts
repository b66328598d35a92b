import { must } from "../../support/app.ts";
import { type Caller, type Staffed, SUBSTRATE } from "../../support/substrate.ts";
import { compareExport, compareLedger } from "./books.ts";
import { Dice } from "./dice.ts";
import type { Data } from "./memory.ts";
import { Proposals } from "./proposals.ts";
import { compareActions, compareReads, compareRecords } from "./reads.ts";
import { stepScene } from "./scenes.ts";
import { type Run, stepConflict, stepDecide, stepPreview, stepPropose, stepSettings } from "./steps.ts";
import { type Proposal, World } from "./world.ts";

/** Members of a staffed organisation whose role lets them decide. */
const DECIDERS = 3;

export function newRun(seed: number, staff: Staffed): Run {
  const dice = new Dice(seed);
  const world = new World(DECIDERS);
  const proposals = new Proposals(dice, world);
  return { dice, world, staff, proposals, trail: [], keyed: [], settings: new Map() };
}

function proposerIn({ dice, staff }: Run): Caller {
  const { owner, admin, developer, viewer, manager, agents, appKey } = staff;
  return dice.weighted([
    ...[owner, admin, developer, ...agents, appKey].map((caller) => [4, caller] as const),
    ...[viewer, manager].map((caller) => [0.4, caller] as const),
  ]);
}

function deciderIn({ dice, staff }: Run): Caller {
  const { owner, admin, manager, developer, viewer, agents } = staff;
  return dice.weighted([
    ...[owner, admin, manager].map((caller) => [6, caller] as const),
    ...[developer, viewer, agents[0]!].map((caller) => [0.4, caller] as const),
  ]);
}

const readerIn = ({ dice, staff }: Run): Caller =>
  dice.pick([staff.owner, staff.viewer, staff.agents[1]!, staff.appKey]);

let keys = 0;

async function proposeSomething(run: Run): Promise<void> {
  const caller = proposerIn(run);
  const drawn = run.proposals.draw();
  if (!run.dice.chance(0.3)) return stepPropose(run, caller, drawn);
  const proposal = { ...drawn, key: `key-${keys++}` };
  run.keyed.push({ proposal, caller });
  return stepPropose(run, caller, proposal);
}

/** The same again under its key, perhaps by somebody else, with its fields in another order; or something else. */
async function proposeAgain(run: Run): Promise<void> {
  const { dice, keyed, proposals } = run;
  if (keyed.length === 0) return;
  const { proposal, caller } = dice.pick(keyed);
  const by = dice.chance(0.7) ? caller : proposerIn(run);
  const sent = Object.fromEntries(Object.entries(proposal.sent).reverse()) as Data;
  const again: Proposal = dice.chance(0.7)
    ? { ...proposal, sent }
    : { ...proposals.draw(), key: proposal.key! };
  return stepPropose(run, by, again);
}

async function decideSomething(run: Run): Promise<void> {
  const { dice, world } = run;
  const all = [...world.actions.values()];
  const waiting = all.filter(({ status }) => status === "proposed");
  const decision = dice.chance(0.75) ? "approve" : "reject";
  const decider = deciderIn(run);
  if (dice.chance(0.02)) return stepDecide(run, decider, `act_01${"0".repeat(24)}`, decision);
  const from = waiting.length > 0 && dice.chance(0.93) ? waiting : all;
  if (from.length > 0) return stepDecide(run, decider, dice.pick(from).id, decision);
}

const STEPS: readonly (readonly [number, (run: Run) => Promise<void>])[] = [
  [48, proposeSomething],
  [5, stepScene],
  [8, proposeAgain],
  [24, decideSomething],
  [3, (run) => stepConflict(run, deciderIn(run))],
  [4, (run) => stepSettings(run, run.dice.chance(0.85) ? run.staff.owner : deciderIn(run))],
  [5, (run) => stepPreview(run, run.dice.pick([run.staff.owner, ...run.staff.agents]), run.proposals.draw())],
  [3, (run) => compareReads(run, readerIn(run))],
  [4, (run) => compareRecords(run, readerIn(run))],
  [1, (run) => compareActions(run, readerIn(run))],
];

export async function play(run: Run, steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) await run.dice.weighted(STEPS)(run);
}

/** Everything against the model, for everybody. */
export async function compareAll(run: Run): Promise<void> {
  for (const reader of [run.staff.owner, run.staff.appKey]) {
    for (let times = 0; times < 3; times++) await compareReads(run, reader);
    await compareRecords(run, reader);
    await compareActions(run, reader);
  }
}

/** What the whole run left in the books. */
export async function compareBooks(run: Run, kept: readonly string[] = []): Promise<void> {
  await compareLedger(run, kept);
  await compareExport(run);
}

/** A checkpoint somebody keeps elsewhere. */
export const checkpoint = async ({ staff }: Run): Promise<string> =>
  must(await staff.owner.api("POST", "/v1/ledger/checkpoints", {})).note;

/** Has what a run found told with its seed and its last steps. */
export async function telling(run: Run, seed: number, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const last = run.trail.slice(-12).join("\n");
    const told = `AMBIT_SEED=${seed} replays this.\n${(error as Error).message}\nThe last of ${run.trail.length} steps:\n${last}`;
    throw Object.assign(error as Error, { message: told });
  }
}

export { SUBSTRATE };
