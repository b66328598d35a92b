import type { Identity } from "../judge.ts";
import { limits } from "./limits.ts";
import type { SourceColumn } from "./source.ts";
import type { Probes } from "./types.ts";
import { castText, kindOf, rangeOf } from "./values.ts";

/** Numbers from 0 to below 1; the same from the same seed (xorshift). */
export function seeded(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const UUIDS = ["00000000-0000-0000-0000-000000000000", "0199aaaa-0000-7000-8000-00000000000a"];

const TEXTS = [
  ..."| |a|A|é|e\u0301|ß|𝄞|'|\"|\\|%|_|null|NULL|{}|true|t|f|1|01|+1| 1|1.0|-0".split("|"),
  "\u00a0",
  "a\n",
  "x".repeat(300),
  ...UUIDS,
  UUIDS[1]!.toUpperCase(),
  `{${UUIDS[1]}}`,
];

/** A constant and what is easily taken for it. */
function neighbours(text: string): string[] {
  const number = /^-?\d{1,18}$/.test(text) ? [String(BigInt(text) - 1n), String(BigInt(text) + 1n)] : [];
  return [text, `${text} `, ` ${text}`, text.toUpperCase(), text.toLowerCase(), text.slice(0, -1), ...number];
}

/** Values worth trying in a column, as texts it can hold. */
function valuesFor(column: SourceColumn, texts: readonly string[]): (string | null)[] {
  if (column.labels !== null) return [null, ...column.labels];
  const kind = kindOf(column.type);
  if (kind === undefined || kind === "json") return [null];
  const range = rangeOf(kind);
  const bounds = range === undefined ? [] : [...range, range[0] + 1n, 0n, 1n].map(String);
  const booleans = kind === "bool" ? ["t", "f"] : [];
  const fitting = [...texts, ...TEXTS, ...bounds, ...booleans].flatMap((text) => {
    const value = castText(text, kind);
    return value === undefined || (column.length !== null && [...value].length > column.length)
      ? []
      : [value];
  });
  return [null, ...new Set(fitting)];
}

export interface Trial {
  readonly identities: readonly Identity[];
  /** By column. */
  readonly rows: readonly ReadonlyMap<string, string | null>[];
}

/**
 * Rows and identities that are likely to show a difference: nulls, empty and long texts, letters that look alike,
 * numbers at the bounds, everything the policies name and its neighbours; claims that are missing, of another type,
 * nested, or written in another form. `texts`: values that occur, such as those of member tables.
 */
export function trialOf(probes: Probes, texts: readonly string[], seed: number): Trial {
  const random = seeded(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const named = [...new Set([...probes.constants.flatMap(neighbours), ...texts])];
  const frequent = [...probes.constants, ...texts];
  const pool = [...named, ...TEXTS];
  const columns = [...probes.columns.values()].map((column) => {
    const all = valuesFor(column, named);
    const likely = all.filter((value) => value !== null && frequent.includes(value));
    return { name: column.name, all, likely: likely.length === 0 ? all : likely };
  });
  const rows = Array.from({ length: limits.checkRows }, (_, at) => {
    const cells = columns.map(({ name, all, likely }): [string, string | null] => [
      name,
      at < all.length ? all[at]! : pick(random() < 0.6 ? likely : all),
    ]);
    return new Map(cells);
  });
  const inRows = rows.flatMap((row) => [...row.values()]).filter((text) => text !== null);
  const text = () => (random() < 0.7 && inRows.length > 0 ? pick(inRows) : pick(pool));
  const identities = Array.from({ length: limits.checkIdentities }, (_, at) =>
    identityOf(probes.paths, at, text, random, frequent.length === 0 ? pool : frequent),
  );
  return { identities, rows };
}

function identityOf(
  paths: Probes["paths"],
  at: number,
  text: () => string,
  random: () => number,
  frequent: readonly string[],
): Identity {
  const subject = random() < 0.1 ? "" : text();
  if (at === 0) return { claims: "", subject: "" };
  const claims: Record<string, unknown> = { sub: subject };
  for (const path of paths) {
    const scalar = random() < 0.5 ? frequent[Math.floor(random() * frequent.length)]! : text();
    const number = Number(scalar);
    const odd = [null, true, false, number, 1.5, [scalar], { a: scalar }, undefined];
    const value = random() < 0.7 ? scalar : odd[Math.floor(random() * odd.length)];
    if (value !== undefined) place(claims, path, value);
  }
  const written = JSON.stringify(claims);
  return { claims: random() < 0.05 ? ` ${written}` : written, subject };
}

/** Puts a value where a path points, making objects on the way where nothing is. */
function place(into: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key = "", ...rest] = path;
  if (rest.length === 0) {
    into[key] = value;
    return;
  }
  const inner = into[key];
  const next = typeof inner === "object" && inner !== null && !Array.isArray(inner) ? inner : {};
  into[key] = next;
  place(next as Record<string, unknown>, rest, value);
}
