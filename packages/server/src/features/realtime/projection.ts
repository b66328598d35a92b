import type { Mask } from "./record.ts";
import type { Subscription } from "./subscriptions.ts";
import type { TableView } from "./table-view.ts";

/** What of a row one subscription carries, worked out for one view of its table. */
export interface Projection {
  readonly view: TableView;
  /** One object for all subscriptions that carry the same. */
  readonly mask: Mask;
  /** False: its filter names a column that may not be read any more, and lets nothing through. */
  readonly filterable: boolean;
}

const all: unique symbol = Symbol("all columns");

/** The masks of one view, each made once, so that frames made for one can be found again by it. */
export class Projections {
  readonly #view: TableView;
  readonly #masks = new Map<Mask | typeof all, Map<string, Mask>>();

  constructor(view: TableView) {
    this.#view = view;
  }

  /** What the subscription carries under this view. */
  of(subscription: Subscription): Projection {
    const known = subscription.projection;
    if (known !== null && known.view === this.#view) return known;
    const { role } = subscription.peer.viewer;
    const readable = role === "service" ? null : this.#view.roles[role].mask;
    const filterable =
      readable === null ||
      (subscription.filters ?? []).every(({ columns }) => columns.every((column) => readable.has(column)));
    const mask = subscription.columns === null ? readable : this.#chosen(readable, subscription.columns);
    const projection = { view: this.#view, mask, filterable };
    subscription.projection = projection;
    return projection;
  }

  #chosen(readable: Mask, columns: readonly string[]): Mask {
    const ofMask = this.#masks.get(readable ?? all) ?? new Map<string, Mask>();
    this.#masks.set(readable ?? all, ofMask);
    // Those of the key come along, whichever they were when the columns were named.
    const wanted = [...new Set([...columns, ...this.#view.key])].sort();
    const key = JSON.stringify(wanted);
    let mask = ofMask.get(key);
    if (mask === undefined) {
      mask = new Set(wanted.filter((column) => readable === null || readable.has(column)));
      ofMask.set(key, mask);
    }
    return mask;
  }
}
