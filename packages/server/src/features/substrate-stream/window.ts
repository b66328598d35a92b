import type { SubstrateChange } from "./changes.ts";
import { FIRST_PLACE } from "./cursor.ts";

export interface WindowLimits {
  readonly windowMs: number;
  readonly windowChangesPerOrganization: number;
  readonly windowChanges: number;
  readonly windowOrganizations: number;
}

interface Kept {
  readonly change: SubstrateChange;
  readonly atMs: number;
}

/** One organisation's changes, oldest first. `floor` is the place of the newest that was thrown away. */
interface Shelf {
  kept: Kept[];
  floor: string;
}

/**
 * The latest changes of every organisation, for readers that come back. Bounded in number, all together and for each
 * organisation, and in age: what goes is the oldest, of those who have most.
 */
export class ChangeWindow {
  readonly #limits: WindowLimits;
  /** In the order of their latest change. */
  readonly #shelves = new Map<string, Shelf>();
  /** The newest place thrown away of organisations that are not in the map any more. */
  #floor = FIRST_PLACE;
  #size = 0;

  constructor(limits: WindowLimits) {
    this.#limits = limits;
  }

  /** How many changes are kept. */
  get size(): number {
    return this.#size;
  }

  /** Keeps a change that comes after all before it. */
  push(change: SubstrateChange, nowMs: number): void {
    const { organizationId } = change;
    const shelf = this.#shelves.get(organizationId) ?? { kept: [], floor: this.#floor };
    this.#shelves.delete(organizationId);
    this.#shelves.set(organizationId, shelf);
    shelf.kept.push({ change, atMs: nowMs });
    this.#size += 1;
    // A tenth at a time, so that what is moved is paid for by what is pushed.
    const { windowChangesPerOrganization: most, windowChanges, windowOrganizations } = this.#limits;
    if (shelf.kept.length > most) this.#drop(shelf, Math.ceil(most / 10));
    if (this.#size > windowChanges) this.#dropOfLarge();
    if (this.#shelves.size > windowOrganizations) this.#dropQuietest();
  }

  /** Every change of an organisation after a place; null when some of them are not here any more. */
  after(organizationId: string, place: string): SubstrateChange[] | null {
    const shelf = this.#shelves.get(organizationId);
    if (place < (shelf?.floor ?? this.#floor)) return null;
    if (shelf === undefined) return [];
    let low = 0;
    for (let high = shelf.kept.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (shelf.kept[middle]!.change.place > place) high = middle;
      else low = middle + 1;
    }
    return shelf.kept.slice(low).map(({ change }) => change);
  }

  /** Throws away what is too old. */
  expire(nowMs: number): void {
    for (const shelf of this.#shelves.values()) {
      const first = shelf.kept.findIndex(({ atMs }) => nowMs - atMs <= this.#limits.windowMs);
      this.#drop(shelf, first === -1 ? shelf.kept.length : first);
    }
  }

  /** Forgets everything; places before now mean nothing any more. */
  clear(): void {
    this.#shelves.clear();
    this.#floor = FIRST_PLACE;
    this.#size = 0;
  }

  #drop(shelf: Shelf, count: number): void {
    if (count === 0) return;
    shelf.floor = shelf.kept[count - 1]!.change.place;
    shelf.kept = shelf.kept.slice(count);
    this.#size -= count;
  }

  #dropOfLarge(): void {
    const share = Math.floor(this.#size / this.#shelves.size);
    for (const shelf of this.#shelves.values())
      if (shelf.kept.length >= share) this.#drop(shelf, Math.ceil(shelf.kept.length / 10));
  }

  #dropQuietest(): void {
    for (const [organizationId, shelf] of this.#shelves) {
      this.#drop(shelf, shelf.kept.length);
      if (shelf.floor > this.#floor) this.#floor = shelf.floor;
      this.#shelves.delete(organizationId);
      return;
    }
  }
}
