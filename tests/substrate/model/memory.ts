// The organisation's memory as the guides tell it, written down as plainly as possible: one list of versions per
// record, everything else found by looking at all of them. Nothing of the server's is used here.

export type Data = Record<string, any>;
export type Kind = "entity" | "decision" | "commitment" | "learning" | "source_artifact" | "link";

/** A record as one version has it. */
export interface State {
  readonly kind: Kind;
  readonly data: Data;
  readonly app: string | null;
  readonly createdBy: string;
  readonly createdAt: number;
}

export interface Version {
  readonly version: number;
  readonly action: string;
  /** Null: the record is gone. */
  readonly state: State | null;
  /** Milliseconds since the epoch. */
  readonly from: number;
  /** The version that said the same first: its own number, unless something was put back. 0: before the first. */
  readonly origin: number;
}

export interface Change {
  readonly id: string;
  readonly kind: string;
  readonly change: "created" | "updated" | "deleted";
}

/** What can't be done, by its stable code. */
export class Refusal extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

export class Memory {
  readonly histories = new Map<string, readonly Version[]>();

  last(id: string): Version | undefined {
    return this.histories.get(id)?.at(-1);
  }

  now(id: string): State | null {
    return this.last(id)?.state ?? null;
  }

  /** The version that was known at an instant. */
  at(id: string, instant: number): Version | undefined {
    return this.histories.get(id)?.findLast(({ from }) => from <= instant);
  }

  /** Every record there is, or was at an instant. */
  all(instant = Number.POSITIVE_INFINITY): { id: string; version: Version; state: State }[] {
    return [...this.histories.keys()].flatMap((id) => {
      const version = this.at(id, instant);
      return version?.state ? [{ id, version, state: version.state }] : [];
    });
  }

  /** Where an id of an entity leads at an instant: to itself, or along the merges to the one that is left. */
  leadsTo(id: string, instant = Number.POSITIVE_INFINITY): string | null {
    if (this.at(id, instant)?.state) return id;
    const winner = this.all(instant).find(
      ({ state }) => state.kind === "entity" && state.data.merged_ids.includes(id),
    );
    return winner?.id ?? null;
  }
}

/** Whose work a draft is, and which id the server gave to what it makes. */
export interface Work {
  readonly action: string;
  readonly at: number;
  readonly app: string | null;
  made(kind: Kind): string;
}

/** What one action is about to change; nothing of it holds before `commit`. */
export class Draft {
  readonly memory: Memory;
  readonly work: Work;
  readonly #staged = new Map<string, { kind: Kind; state: State | null; origin: number | null }>();

  constructor(memory: Memory, work: Work) {
    this.memory = memory;
    this.work = work;
  }

  get(id: string): State | null {
    const staged = this.#staged.get(id);
    return staged === undefined ? this.memory.now(id) : staged.state;
  }

  all(): { id: string; state: State }[] {
    const ids = new Set([...this.memory.histories.keys(), ...this.#staged.keys()]);
    return [...ids].flatMap((id) => {
      const state = this.get(id);
      return state === null ? [] : [{ id, state }];
    });
  }

  create(kind: Kind, data: Data): string {
    const id = this.work.made(kind);
    const { action, app, at } = this.work;
    this.#staged.set(id, {
      kind,
      state: { kind, data, app, createdBy: action, createdAt: at },
      origin: null,
    });
    return id;
  }

  /** Equal data is no change. */
  change(id: string, data: Data): void {
    const state = this.get(id)!;
    if (sameJson(state.data, data)) return;
    this.#staged.set(id, { kind: state.kind, state: { ...state, data }, origin: null });
  }

  remove(id: string): void {
    this.#staged.set(id, { kind: this.get(id)!.kind, state: null, origin: null });
  }

  putBack(id: string, kind: Kind, state: State | null, origin: number): void {
    this.#staged.set(id, { kind, state, origin });
  }

  /** When the record was changed last, as it will be. */
  updatedAt(id: string): number {
    const last = this.memory.last(id);
    if (!this.#staged.has(id)) return last!.from;
    return Math.max(this.work.at, (last?.from ?? Number.NEGATIVE_INFINITY) + 1);
  }

  changes(): Change[] {
    return [...this.#staged].map(([id, { kind, state }]) => ({
      ...{ id, kind },
      change: state === null ? "deleted" : this.memory.now(id) === null ? "created" : "updated",
    }));
  }

  commit(): void {
    for (const [id, { state, origin }] of this.#staged) {
      const versions = this.memory.histories.get(id) ?? [];
      const version = versions.length + 1;
      const made = { version, action: this.work.action, state, from: this.updatedAt(id) };
      this.memory.histories.set(id, [...versions, { ...made, origin: origin ?? version }]);
    }
  }
}

export function sameJson(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

/** One text for a JSON value, whatever the order of its names. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, part) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
