/** Changes of one group in one run of the bench; a group is those clients who are to be shown the same rows. */
const PER_GROUP = 1_000_000;

/** A row's key says whom it is for and its turn among the rows for them, from 1. */
export const idOf = (group: number, turn: number): number => group * PER_GROUP + turn;
export const groupOf = (id: number): number => Math.floor(id / PER_GROUP);
export const turnOf = (id: number): number => id % PER_GROUP;
