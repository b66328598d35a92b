import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { MemoryRecord } from "../types.ts";
import { entityWith } from "./testing/entity-moves.ts";
import {
  type Memory,
  sorted,
  stored,
  type TestMemory,
  type Tried,
  testMemory,
  wrongs,
} from "./testing/memory.ts";
import { Model, Refused } from "./testing/model.ts";
import type { MakeMove, Pick } from "./testing/move.ts";
import { type Revert, steps } from "./testing/moves.ts";

let memory: TestMemory;
beforeAll(async () => {
  memory = await testMemory();
});
afterAll(() => memory.stop());

const RUNS = Number(process.env.MEMORY_MODEL_RUNS ?? 25);
/** Somebody and something to refer to. */
const BEGINNING = ["a@x.io", "b@x.io", "c@x.io", "d@x.io", undefined].map(entityWith);
const refusals = new Map<string, number>();
const text = (value: unknown) => JSON.stringify(sorted(value));

/** One sequence of steps in an organisation of its own, done in the memory and in the model side by side. */
class Run {
  readonly model = new Model();
  readonly log: string[] = [];
  readonly #actions: string[] = [];
  readonly #ids = new Set<string>();
  readonly #memory: Memory;
  #records: ReadonlyMap<string, MemoryRecord> = new Map();

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  readonly #pick: Pick = (index, prefix) => {
    const ids = [...this.#ids].filter((id) => id.startsWith(prefix));
    return index === 0 || ids.length === 0 ? `${prefix}_0unknown` : ids[index % ids.length]!;
  };

  async step(each: Revert | MakeMove): Promise<void> {
    if ("revert" in each) {
      const target = this.#actions.at(-1 - each.revert);
      if (target !== undefined) await this.#revert(target);
      return;
    }
    const { capability, payload, idField, apply } = each(this.#pick);
    const tried = await this.#memory.attempt(capability, payload);
    const made = String(tried.outcome?.result[idField]);
    if (tried.outcome !== null) this.#ids.add(made);
    await this.#compare(`${capability} ${JSON.stringify(payload)}`, tried, (action) =>
      apply(this.model, action, made),
    );
  }

  async #revert(target: string): Promise<boolean> {
    const tried = await this.#memory.revert(target);
    await this.#compare(`revert ${target}`, tried, (action) => this.model.revert(action, target));
    return tried.outcome !== null;
  }

  /** Plans to undo these of the actions so far, does it, and has the model judge what could be done and what not. */
  async undoAll(which: readonly number[]): Promise<void> {
    const wanted = [...new Set(which.map((at) => this.#actions[at % this.#actions.length]!))];
    const { database } = memory.platform;
    const plan = await this.#memory.writer.planRevert(database, this.#memory.organizationId, wanted);
    this.log.push(`plan ${wanted} → ${JSON.stringify(plan)}`);
    const blocked = plan.blocked.map(({ action_id }) => action_id);
    if (text([...plan.order, ...blocked].sort()) !== text([...wanted].sort()))
      throw new Error("the plan is not about what was asked");
    for (const action of plan.order)
      if (!(await this.#revert(action))) throw new Error(`${action} was planned and is blocked`);
    for (const { action_id, blockers } of plan.blocked) {
      if (blockers.length === 0) throw new Error(`nothing is said about what blocks ${action_id}`);
      if (await this.#revert(action_id)) throw new Error(`${action_id} is not blocked`);
    }
  }

  /** Has the model do what was tried, and throws when it comes to something else. */
  async #compare(asked: string, tried: Tried, apply: (action: string) => void): Promise<void> {
    const { actionId, error, outcome } = tried;
    this.log.push(`${actionId} ${asked} → ${error?.message ?? JSON.stringify(outcome?.result)}`);
    let expected: string | null = null;
    try {
      apply(actionId);
    } catch (refused) {
      if (!(refused instanceof Refused)) throw refused;
      expected = refused.code;
      refusals.set(expected, (refusals.get(expected) ?? 0) + 1);
    }
    const answered = error === null ? null : (error.code ?? String(error));
    if (answered !== expected) throw new Error(`answered ${answered}, should be ${expected}`);
    if (outcome !== null) this.#actions.push(actionId);
    const differences = await this.#differences(tried);
    if (differences.length > 0) throw new Error(differences.join("\n"));
  }

  async #differences({ outcome }: Tried): Promise<string[]> {
    const { database } = memory.platform;
    const before = this.#records;
    this.#records = (await stored(database, this.#memory.organizationId)).records;
    const real = new Map([...this.#records].map(([id, { kind, data }]) => [id, text([kind, data])]));
    const expected = new Map([...this.model.all()].map(([id, kind, data]) => [id, text([kind, data])]));
    const told = new Map((outcome?.changes ?? []).map((change) => [change.id, change]));
    const different: string[] = [];
    for (const id of new Set([...real.keys(), ...expected.keys(), ...before.keys(), ...told.keys()])) {
      if (real.get(id) !== expected.get(id))
        different.push(`${id} is ${real.get(id)} and should be ${expected.get(id)}`);
      const [was, is] = [before.get(id) ?? null, this.#records.get(id) ?? null];
      const change = told.get(id);
      if (text([change?.before ?? was, change?.after ?? is]) !== text([was, is]))
        different.push(`of ${id} another change is told than was made`);
      if (change === undefined && text(was) !== text(is)) different.push(`${id} changed and nothing is told`);
    }
    return [...different, ...(await wrongs(database, this.#memory.organizationId))];
  }
}

describe("the memory is what a plain model of it says", () => {
  it("after any sequence of actions, reverts, and a planned revert of many", async () => {
    const many = fc.array(fc.noBias(fc.nat(100)), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(steps, many, async (sequence, which) => {
        const run = new Run(await memory.another());
        try {
          for (const each of [...BEGINNING, ...sequence]) await run.step(each);
          await run.undoAll(which);
        } catch (error) {
          throw new Error(`${(error as Error).message}\n${run.log.join("\n")}`, { cause: error });
        }
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
  }, 600_000);

  it("and the sequences come by the ways of being refused that take some doing", () => {
    expect([...refusals.keys()]).toEqual(
      expect.arrayContaining([
        "ENTITY_AMBIGUOUS",
        "ENTITY_IN_USE",
        "ENTITY_TYPE_MISMATCH",
        "RESOURCE_NOT_FOUND",
        "REVERT_BLOCKED",
        "VALIDATION_UNKNOWN_REFERENCE",
      ]),
    );
  });
});
