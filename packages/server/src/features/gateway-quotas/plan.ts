import type { Reservation } from "@ambit/policy";
import { sha256Hex } from "../../kernel/ids.ts";
import { inputProblem } from "../../kernel/plain-input.ts";
import { limits } from "./limits.ts";

/** What the statement that reserves is given; see the function `ambit.gateway_reserve`. */
export interface ReservePlan {
  readonly keys: readonly string[];
  readonly starts: readonly string[];
  readonly ends: readonly string[];
  readonly requests: readonly number[];
  readonly counters: readonly number[];
  readonly costs: readonly number[];
  readonly maxima: readonly number[];
}

/** What the statement that gives back is given; see `ambit.gateway_give_back`. */
export interface GiveBackPlan {
  readonly keys: readonly string[];
  readonly starts: readonly string[];
  readonly costs: readonly number[];
}

/** The first reservation that can't be counted at all, or null. Such a one has no room, whatever the counter says. Pure. */
export function uncountable(reservations: readonly Reservation[]): Reservation | null {
  return reservations.find((each) => !isCountable(each)) ?? null;
}

/** Whole costs that add up exactly, in a window that Postgres can tell; `max` may be anything that is a number. */
function isCountable({ cost, max, windowStartMs, windowEndMs }: Reservation): boolean {
  return (
    Number.isSafeInteger(cost) &&
    cost >= 0 &&
    !Number.isNaN(max) &&
    isInstant(windowStartMs) &&
    isInstant(windowEndMs) &&
    windowStartMs < windowEndMs
  );
}

/** The last millisecond whose year has four digits. */
const LAST_INSTANT_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const isInstant = (ms: number): boolean => Number.isSafeInteger(ms) && ms >= 0 && ms <= LAST_INSTANT_MS;

/** Every text that is short printable ASCII, which is nearly every one. */
const PLAIN = /^[\x20-\x7e]{1,500}$/;

/** A counter's key as Postgres can hold it: different keys stay different. Pure. */
export function storedKey(key: string): string {
  if (PLAIN.test(key)) return key;
  if (inputProblem(key, 0) === null && Buffer.byteLength(key) <= limits.keyBytes) return key;
  const head = key.slice(0, limits.keyHeadChars).toWellFormed().replaceAll("\0", "\ufffd");
  return `${head}#${sha256Hex(JSON.stringify(key))}`;
}

interface Counter {
  readonly key: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** The one order in which counters are locked. */
function inOrder(a: Counter, b: Counter): number {
  if (a.key !== b.key) return a.key < b.key ? -1 : 1;
  return a.startMs - b.startMs;
}

const iso = (ms: number): string => new Date(ms).toISOString();

/** Each counter once, in order; `nameOf` finds a reservation's. */
function countersOf(reservations: readonly Reservation[]): {
  counters: Counter[];
  indexOf(reservation: Reservation): number;
} {
  const found = new Map<string, Counter>();
  const nameOf = ({ key, windowStartMs }: Reservation) => `${windowStartMs} ${key}`;
  for (const each of reservations) {
    const name = nameOf(each);
    if (found.has(name)) continue;
    found.set(name, { key: storedKey(each.key), startMs: each.windowStartMs, endMs: each.windowEndMs });
  }
  const counters = [...found.values()].sort(inOrder);
  const indexes = new Map(counters.map((counter, index) => [counter, index]));
  return { counters, indexOf: (each) => indexes.get(found.get(nameOf(each))!)! };
}

/** Puts requests of countable reservations, none of them empty, into one statement. Pure. */
export function planReserve(requests: readonly (readonly Reservation[])[]): ReservePlan {
  const all = requests.flat();
  const { counters, indexOf } = countersOf(all);
  return {
    keys: counters.map(({ key }) => key),
    starts: counters.map(({ startMs }) => iso(startMs)),
    ends: counters.map(({ endMs }) => iso(endMs)),
    requests: requests.flatMap((reservations, index) => reservations.map(() => index + 1)),
    counters: all.map((each) => indexOf(each) + 1),
    costs: all.map(({ cost }) => cost),
    maxima: all.map(({ max }) => asWhole(max)),
  };
}

/** The most that counts; a bigint holds the sum of two of them. A counter never has more than this, nor less than none. */
const asWhole = (max: number): number => Math.min(Math.max(Math.floor(max), -1), Number.MAX_SAFE_INTEGER);

/** Puts what is to be given back into one statement; what can't have been reserved is left out. Pure. */
export function planGiveBack(reservations: readonly Reservation[]): GiveBackPlan {
  const countable = reservations.filter((each) => isCountable(each) && each.cost > 0);
  const { counters, indexOf } = countersOf(countable);
  const costs = counters.map(() => 0);
  for (const each of countable) {
    const index = indexOf(each);
    costs[index] = Math.min(costs[index]! + each.cost, Number.MAX_SAFE_INTEGER);
  }
  return {
    keys: counters.map(({ key }) => key),
    starts: counters.map(({ startMs }) => iso(startMs)),
    costs,
  };
}
