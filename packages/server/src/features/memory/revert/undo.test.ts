import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planUndo } from "./plan.ts";
import { blockersOf, type Holder, type Needs, undone, type VersionFact, type World } from "./undo.ts";

const IDS = ["a", "b", "c", "d", "e"];
/** What an action makes of a record: gone, or naming some others and having a key. */
const needs = fc.option(
  fc.record({
    references: fc.uniqueArray(fc.constantFrom(...IDS), { maxLength: 2 }),
    identities: fc.uniqueArray(fc.constantFrom("k", "l"), { maxLength: 1 }),
  }),
  { freq: 4 },
);
const action = fc.dictionary(fc.constantFrom(...IDS), needs, {
  minKeys: 1,
  maxKeys: 3,
  noNullPrototype: true,
});
const step = fc.oneof({ weight: 3, arbitrary: action }, { weight: 2, arbitrary: fc.nat(40) });

type State = ReadonlyMap<string, Needs | null>;

/** What a record is, and what it was before the change that made it so; undoing goes back along this. */
interface Node {
  readonly needs: Needs | null;
  readonly parent: Node | null;
}
const NOTHING: Node = { needs: null, parent: null };

/** The same histories twice: as versions with numbers, and as chains of nodes. */
class Both {
  world: World = { histories: new Map(), referrers: new Map(), gone: new Map(), owners: new Map() };
  readonly actions: string[] = [];
  readonly #made = new Map<string, Map<string, { node: Node; before: Node }>>();
  readonly #now = new Map<string, Node>(IDS.map((id) => [id, NOTHING]));

  get state(): State {
    return new Map([...this.#now].map(([id, node]) => [id, node.needs]));
  }

  /** Does it unless it would leave a record naming what is not there, or two with one key. */
  act(changes: Record<string, Needs | null>): void {
    const after = new Map(this.state);
    for (const [id, each] of Object.entries(changes)) after.set(id, each);
    const changed = Object.keys(changes).filter(
      (id) => after.get(id) !== null || this.state.get(id) !== null,
    );
    if (!isSound(after) || changed.length === 0) return;
    const name = this.#begin();
    const histories = new Map(this.world.histories);
    for (const id of changed) {
      this.#move(name, id, { needs: after.get(id)!, parent: this.#now.get(id)! });
      const { versions = [], needs: known } = histories.get(id) ?? {};
      const version = versions.length + 1;
      const fact: VersionFact = { version, actionId: name, restores: null };
      histories.set(id, {
        kind: "thing",
        versions: [...versions, fact],
        needs: new Map(known).set(version, after.get(id)!),
      });
    }
    this.world = { ...this.world, histories };
  }

  /** Whether the action can be undone, going by the nodes alone. */
  canUndo(name: string): boolean {
    const made = this.#made.get(name)!;
    for (const [id, { node }] of made) if (this.#now.get(id) !== node) return false;
    const after = new Map(this.state);
    for (const [id, { before }] of made) after.set(id, before.needs);
    return isSound(after);
  }

  undo(name: string): void {
    const by = this.#begin();
    for (const [id, { before }] of [...this.#made.get(name)!]) this.#move(by, id, before);
    this.world = undone(this.world, name, by);
  }

  #begin(): string {
    const name = `act_${String(this.actions.length).padStart(3, "0")}`;
    this.actions.push(name);
    this.#made.set(name, new Map());
    return name;
  }

  #move(name: string, id: string, node: Node): void {
    this.#made.get(name)!.set(id, { node, before: this.#now.get(id)! });
    this.#now.set(id, node);
  }
}

function isSound(state: State): boolean {
  const there = [...state.values()].filter((each) => each !== null);
  const keys = there.flatMap((each) => each.identities);
  return (
    new Set(keys).size === keys.length && there.every((each) => each.references.every((id) => state.get(id)))
  );
}

/** A history of changes, some of them undone, some of that undone again. */
const histories = fc.array(step, { minLength: 5, maxLength: 40, size: "max" }).map((steps) => {
  const both = new Both();
  for (const each of steps) {
    if (typeof each !== "number") both.act(each);
    else {
      const name = both.actions.at(each % Math.max(both.actions.length, 1));
      if (name !== undefined && both.canUndo(name)) both.undo(name);
    }
  }
  return Object.assign(both, { [fc.toStringMethod]: () => JSON.stringify([...both.world.histories]) });
});

describe("an action can be undone", () => {
  it("exactly when what it did still stands and nothing would be left naming what is gone", () => {
    const seen = { free: 0, blocked: 0 };
    fc.assert(
      fc.property(histories, (both) => {
        for (const name of both.actions) {
          const blockers = blockersOf(both.world, name);
          expect(blockers.length === 0, name).toBe(both.canUndo(name));
          seen[blockers.length === 0 ? "free" : "blocked"]++;
          for (const { action_id } of blockers) expect(both.actions).toContain(action_id);
        }
      }),
    );
    expect(Math.min(seen.free, seen.blocked)).toBeGreaterThan(50);
  });

  it("and what stands in its way is never the action itself", () => {
    fc.assert(
      fc.property(histories, (both) => {
        for (const name of both.actions) {
          const undoneSince = blockersOf(both.world, name).filter(({ action_id }) => action_id === name);
          expect(undoneSince).toEqual([]);
        }
      }),
    );
  });
});

describe("a plan", () => {
  it("can be carried out in its order, and what it leaves out can't be", () => {
    fc.assert(
      fc.property(histories, fc.array(fc.nat(40)), (both, which) => {
        const wanted = [
          ...new Set(which.map((at) => both.actions.at(at % Math.max(both.actions.length, 1)) ?? "")),
        ];
        const latest = wanted
          .filter((name) => name !== "")
          .sort()
          .reverse();
        const plan = planUndo(both.world, latest);
        expect([...plan.order, ...plan.blocked.map(({ action_id }) => action_id)].sort()).toEqual(
          latest.toSorted(),
        );
        for (const name of plan.order) {
          expect(both.canUndo(name)).toBe(true);
          both.undo(name);
        }
        for (const { action_id, blockers } of plan.blocked) {
          expect(both.canUndo(action_id)).toBe(false);
          expect(blockers).not.toEqual([]);
          for (const blocker of blockers) expect(both.actions).toContain(blocker.action_id);
        }
      }),
    );
  });

  it("for everything there was leaves nothing", () => {
    fc.assert(
      fc.property(histories, (both) => {
        const plan = planUndo(both.world, both.actions.toReversed());
        expect(plan.blocked).toEqual([]);
        for (const name of plan.order) both.undo(name);
        expect([...both.state.values()].every((each) => each === null)).toBe(true);
      }),
    );
  });
});

describe("what is known only in part", () => {
  const holder: Holder = { id: "x", kind: "commitment", actionId: "act_x" };
  const versions = [{ version: 1, actionId: "act_1", restores: null }];
  const one = (is: Needs | null, was: Needs | null): World["histories"] =>
    new Map([
      [
        "a",
        {
          kind: "entity",
          versions: [{ version: 2, actionId: "act_2", restores: null }],
          needs: new Map([
            [1, was],
            [2, is],
          ]),
        },
      ],
    ]);
  const world = (part: Partial<World>): World => ({
    histories: new Map(),
    referrers: new Map(),
    gone: new Map(),
    owners: new Map(),
    ...part,
  });
  const plain = { references: [], identities: [] };

  it("blocks as well: records beside the histories that refer, are gone, or have the key", () => {
    const made = new Map([["a", { kind: "entity", versions, needs: new Map([[1, plain]]) }]]);
    expect(blockersOf(world({ histories: made, referrers: new Map([["a", [holder]]]) }), "act_1")).toEqual([
      { action_id: "act_x", record_id: "x", reason: "x (commitment) refers to a" },
    ]);
    const naming = one(null, { references: ["x"], identities: [] });
    expect(blockersOf(world({ histories: naming, gone: new Map([["x", holder]]) }), "act_2")).toEqual([
      { action_id: "act_x", record_id: "x", reason: "a (entity) refers to x, which is gone since" },
    ]);
    expect(blockersOf(world({ histories: naming }), "act_2")).toEqual([]);
    const keyed = one(null, { references: [], identities: ["k"] });
    expect(blockersOf(world({ histories: keyed, owners: new Map([["k", holder]]) }), "act_2")).toEqual([
      { action_id: "act_x", record_id: "x", reason: "x (commitment) has a key of a by now" },
    ]);
  });

  it("names the last changes when there were so many that those between are not looked at", () => {
    const late = [
      { version: 1, actionId: "act_1", restores: null },
      { version: 900, actionId: "act_900", restores: null },
      { version: 901, actionId: "act_901", restores: null },
    ];
    const many = new Map([
      [
        "a",
        {
          kind: "entity",
          versions: late,
          needs: new Map([
            [1, plain],
            [901, plain],
          ]),
        },
      ],
    ]);
    expect(blockersOf(world({ histories: many }), "act_1").map(({ action_id }) => action_id)).toEqual([
      "act_901",
      "act_900",
    ]);
  });
});
