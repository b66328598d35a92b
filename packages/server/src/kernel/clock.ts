/** Time in milliseconds since the epoch. Passed in wherever a decision depends on it. */
export type Clock = () => number;

export const systemClock: Clock = () => Date.now();
