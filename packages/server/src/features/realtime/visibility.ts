/** What a change of a row is in the log. */
export type ChangeKind = "insert" | "update" | "delete";

/** What the same change is in the view of one client. */
export type Outcome = "insert" | "enter" | "update" | "leave" | "delete";

/**
 * Decides what a client is told of a change, given whether the row before and the row after it are in the client's
 * view (row-level security and filter together). Pure.
 *
 * - insert: by the new row alone; delete: by the old row alone
 * - update of a row that stays in view: an update with both rows
 * - update that brings a row into view: it enters, and what it was before is not told
 * - update that takes a row out of view: it leaves, and what it has become is not told
 */
export function outcomeOf(kind: ChangeKind, seesOld: boolean, seesNew: boolean): Outcome | null {
  switch (kind) {
    case "insert":
      return seesNew ? "insert" : null;
    case "delete":
      return seesOld ? "delete" : null;
    case "update":
      if (seesOld) return seesNew ? "update" : "leave";
      return seesNew ? "enter" : null;
  }
}

/** Which of the two rows an outcome may carry. */
export const carries: Readonly<Record<Outcome, { readonly old: boolean; readonly new: boolean }>> = {
  insert: { old: false, new: true },
  enter: { old: false, new: true },
  update: { old: true, new: true },
  leave: { old: true, new: false },
  delete: { old: true, new: false },
};
