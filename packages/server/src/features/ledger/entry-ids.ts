import { newSortableId } from "../../kernel/ids.ts";

const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";
const RANDOM_DIGITS = 16;

/** Makes ids of entries: within a millisecond too, each is larger than the one made before it. */
export function createEntryIds(): (nowMs: number) => string {
  let last = "";
  let lastMs = Number.NaN;
  return (nowMs) => {
    last = (nowMs === lastMs ? nextId(last) : null) ?? newSortableId("led", nowMs);
    lastMs = nowMs;
    return last;
  };
}

/** The id that follows in the same millisecond; null when there is none. */
function nextId(id: string): string | null {
  let at = id.length - 1;
  while (id[at] === "z") at -= 1;
  const firstRandom = id.length - RANDOM_DIGITS;
  if (at < firstRandom) return null;
  return id.slice(0, at) + DIGITS[DIGITS.indexOf(id[at]!) + 1] + "0".repeat(id.length - 1 - at);
}

/** An id that is not above any made at `ms` or later, and above every one made earlier. */
export const lowestIdAt = (ms: number): string =>
  newSortableId("led", Math.max(0, ms)).slice(0, -RANDOM_DIGITS) + "0".repeat(RANDOM_DIGITS);
