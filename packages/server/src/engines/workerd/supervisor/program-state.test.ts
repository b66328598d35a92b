import { describe, expect, it } from "vitest";
import { limits } from "../limits.ts";
import {
  type After,
  initialState,
  next,
  type ProgramEvent,
  type ProgramState,
  restartPauseMs,
} from "./program-state.ts";

/** Numbers that are the same for the same seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/**
 * A world the machine acts in: processes start, fail, die and end as the seed says. It checks what must hold whatever
 * happens.
 */
class World {
  state: ProgramState = initialState;
  nowMs = 1_000_000;
  /** Processes that hold the storage. */
  processes = 0;
  working = 0;
  waiting = 0;
  refused = 0;
  starting = false;
  ending = false;
  draining = false;
  hasOld = false;
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = random(seed);
  }

  apply(event: ProgramEvent): void {
    const step = next(this.state, event, this.nowMs);
    this.state = step.state;
    for (const effect of step.effects) this.#carryOut(effect);
    expect(this.processes + this.working).toBeLessThanOrEqual(1);
  }

  #carryOut(effect: string): void {
    if (effect === "start" || effect === "start old") {
      expect([this.starting, this.processes, this.working]).toEqual([false, 0, 0]);
      if (effect === "start old") this.hasOld = false;
      this.starting = true;
      this.processes = 1;
    } else if (effect === "release") {
      expect(this.processes).toBe(1);
      this.waiting = 0;
    } else if (effect === "refuse") {
      this.refused += this.waiting;
      this.waiting = 0;
    } else if (effect === "drain") this.draining = true;
    else if (effect === "end") {
      expect(this.processes).toBe(1);
      this.ending = true;
    } else if (effect === "work") this.working = 1;
  }

  /** Something happens that can happen now. */
  step(): void {
    this.nowMs += Math.floor(this.#random() * 3_000);
    const { phase } = this.state;
    const die = () => {
      this.processes = 0;
      this.draining = false;
      this.ending = false;
      this.apply({ type: "died" });
    };
    const can: (() => void)[] = [
      () => {
        this.waiting += 1;
        if (phase === "running") this.waiting = 0;
        else this.apply({ type: "wanted" });
      },
    ];
    const quiet = !this.starting && !this.draining && !this.ending && this.working === 0;
    if (quiet) {
      can.push(() => {
        this.hasOld = phase === "running" && this.#random() < 0.5;
        const afters: After[] = ["start", "sleep", "work"];
        this.apply({ type: "stop", after: afters[Math.floor(this.#random() * 3)]! });
      });
      can.push(() => this.apply({ type: "forgive" }));
    }
    if (this.starting) {
      can.push(() => {
        this.starting = false;
        this.hasOld = false;
        this.apply({ type: "ready" });
      });
      can.push(() => {
        this.starting = false;
        this.processes = 0;
        this.apply({ type: "start failed", old: this.hasOld, counts: this.#random() < 0.8 });
      });
    }
    if (phase === "running") can.push(die);
    if (this.draining) {
      can.push(die, () => {
        this.draining = false;
        this.apply({ type: "drained" });
      });
    }
    if (this.ending) {
      can.push(() => {
        this.ending = false;
        this.processes = 0;
        this.apply({ type: "ended" });
      });
    }
    if (this.working) {
      can.push(() => {
        this.working = 0;
        this.apply({ type: "worked" });
      });
    }
    can[Math.floor(this.#random() * can.length)]!();
  }
}

describe("whatever happens", () => {
  const seed = Number(process.env.SEED ?? Date.now() % 100_000);

  it(`never two at one storage, and the state says what is there (SEED=${seed})`, () => {
    for (let run = 0; run < 200; run += 1) {
      const world = new World(seed + run);
      for (let at = 0; at < 200; at += 1) {
        world.step();
        const { phase } = world.state;
        const expected = {
          starting: 1,
          running: 1,
          draining: 1,
          stopping: 1,
          stopped: 0,
          failing: 0,
          working: 0,
        };
        expect([phase, world.processes]).toEqual([phase, expected[phase]]);
        expect(world.working).toBe(phase === "working" ? 1 : 0);
        if (phase === "running") expect(world.waiting).toBe(0);
        if (phase === "failing")
          expect(world.state.retryAtMs - world.nowMs).toBeLessThanOrEqual(limits.restartLongestPauseMs);
      }
    }
  });

  it(`somebody who wants it gets it running, or is refused, once everything under way has ended (SEED=${seed})`, () => {
    for (let run = 0; run < 100; run += 1) {
      const world = new World(seed + run);
      for (let at = 0; at < 100; at += 1) world.step();
      world.waiting += 1;
      const before = world.refused;
      for (let turn = 0; turn < 20 && world.waiting > 0; turn += 1) {
        world.apply({ type: "wanted" });
        if (world.state.phase === "running") world.waiting = 0;
        if (world.starting) {
          world.starting = false;
          world.apply({ type: "ready" });
        } else if (world.draining) {
          world.draining = false;
          world.apply({ type: "drained" });
        } else if (world.ending) {
          world.ending = false;
          world.processes = 0;
          world.apply({ type: "ended" });
        } else if (world.working) {
          world.working = 0;
          world.apply({ type: "worked" });
        }
      }
      expect(world.waiting).toBe(0);
      expect(world.state.phase === "running" || world.refused > before).toBe(true);
    }
  });
});

describe("a program that keeps dying", () => {
  const die = (state: ProgramState, nowMs: number) => {
    let at = next(state, { type: "wanted" }, nowMs).state;
    at = next(at, { type: "ready" }, nowMs).state;
    return next(at, { type: "died" }, nowMs + 10).state;
  };

  it("starts again at once, then after pauses that double up to a bound", () => {
    expect(Array.from({ length: 12 }, (_, deaths) => restartPauseMs(deaths))).toEqual([
      0, 0, 0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000,
    ]);
    let state = initialState;
    for (let deaths = 0; deaths < 2; deaths += 1) state = die(state, 0);
    expect(state.phase).toBe("stopped");
    state = die(state, 0);
    expect(state).toMatchObject({ phase: "failing", retryAtMs: 510 });
    expect(next(state, { type: "wanted" }, 509).effects).toEqual(["refuse"]);
    expect(next(state, { type: "wanted" }, 510).effects).toEqual(["start"]);
  });

  it("is forgiven after a long life, and by a new revision", () => {
    let state = initialState;
    for (let deaths = 0; deaths < 5; deaths += 1) state = die({ ...state, phase: "stopped" }, 0);
    expect(next(state, { type: "forgive" }, 0).state).toMatchObject({ phase: "stopped", deaths: 0 });
    const running: ProgramState = { ...state, phase: "running", runningSinceMs: 0 };
    expect(next(running, { type: "died" }, limits.restartForgiveMs).state).toMatchObject({
      phase: "stopped",
      deaths: 1,
    });
  });
});
