import { limits } from "./limits.ts";

/** Where an entry stands: in its turn, after a gap, late (its place had been passed over), or where one was already. */
export type Place = "next" | "ahead" | "late" | "again";

/** Follows the numbers of entries, which should be 0, 1, 2 and so on. Its memory is bounded. */
export class Sequence {
  #expected = 0;
  #gaps: [from: number, to: number][] = [];

  /** The number that should come next: one more than the largest so far. */
  get expected(): number {
    return this.#expected;
  }

  /** The entries that have not come, as far as is remembered: first and last of each gap. */
  get gaps(): readonly (readonly [from: number, to: number])[] {
    return this.#gaps;
  }

  /** Takes the next number. */
  take(index: number): Place {
    if (index === this.#expected) {
      this.#expected += 1;
      return "next";
    }
    if (index > this.#expected) {
      if (this.#gaps.length < limits.gaps) this.#gaps.push([this.#expected, index - 1]);
      this.#expected = index + 1;
      return "ahead";
    }
    const at = this.#gaps.findIndex(([from, to]) => from <= index && index <= to);
    if (at < 0) return "again";
    const [from, to] = this.#gaps[at]!;
    const rest: [number, number][] = [
      [from, index - 1],
      [index + 1, to],
    ];
    const left = rest.filter(([first, last]) => first <= last);
    if (this.#gaps.length + left.length - 1 <= limits.gaps) this.#gaps.splice(at, 1, ...left);
    return "late";
  }
}

/** Recognises an id that came among the latest ones; remembers at least `limits.rememberedIds` of them. */
export class RecentIds {
  #recent = new Set<string>();
  #older = new Set<string>();

  /** Takes an id and says whether it came before. */
  take(id: string): boolean {
    const before = this.#recent.size;
    if (this.#older.has(id) || this.#recent.add(id).size === before) return true;
    if (this.#recent.size >= limits.rememberedIds) {
      this.#older = this.#recent;
      this.#recent = new Set();
    }
    return false;
  }
}
