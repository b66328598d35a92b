import type { Transaction } from "../../../engines/postgres/database.ts";
import { errors } from "../../../kernel/errors.ts";
import { memoryErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import type { MemoryRecord, MemoryWork, RecordKind } from "../types.ts";
import { type Hold, holdRecords, selectAliases, useRecords } from "./store.ts";

/** An id that a payload names, and what it may be. */
export interface Wanted {
  /** The payload's field. */
  readonly field: string;
  readonly id: string;
  readonly kinds: readonly RecordKind[];
}

/**
 * Finds what a payload names; ids of merged entities lead to the one that is left. What is found stays until the
 * commit. Throws VALIDATION_UNKNOWN_REFERENCE with all that is not there.
 */
export async function resolveReferences(
  tx: Transaction,
  work: MemoryWork,
  wanted: readonly Wanted[],
): Promise<(id: string) => string> {
  if (wanted.length === 0) return (id) => id;
  const kinds = new Map<string, RecordKind>();
  let aliases: ReadonlyMap<string, string> = new Map();
  const target = (id: string) => aliases.get(id) ?? id;
  let missing = [...new Set(wanted.map(({ id }) => id))];
  // A merge that commits in between leads on once more, so what is missing is looked for again.
  for (let look = 0; missing.length > 0 && look < limits.attempts; look++) {
    for (const { id, kind } of await useRecords(tx, work.organizationId, missing)) kinds.set(id, kind);
    missing = missing.filter((id) => !kinds.has(id));
    if (missing.length > 0)
      aliases = new Map([...aliases, ...(await selectAliases(tx, work.organizationId, missing))]);
    missing = missing.filter((id) => aliases.has(id) && !kinds.has(target(id)));
  }
  const problems = wanted.flatMap(({ field, id, kinds: allowed }) => {
    const kind = kinds.get(target(id));
    if (kind !== undefined && allowed.includes(kind)) return [];
    const message =
      kind === undefined
        ? `${field}: there is no ${nounOf(allowed)} ${id}.`
        : `${field}: ${id} is ${anyOf(kind)}, not ${anyOf(nounOf(allowed))}.`;
    return [{ path: field, id, message }];
  });
  if (problems.length === 0) return target;
  throw memoryErrors.VALIDATION_UNKNOWN_REFERENCE({
    message: problems
      .slice(0, limits.listed)
      .map(({ message }) => message)
      .join("\n"),
    details: problems,
  });
}

const nounOf = (kinds: readonly RecordKind[]): string => (kinds.length === 1 ? kinds[0]! : "record");
const anyOf = (noun: string): string => `${/^[aeiou]/.test(noun) ? "an" : "a"} ${noun}`;

/** A record of the kind that the action is about. */
export interface Target<K extends RecordKind> {
  readonly kind: K;
  readonly id: string;
  readonly hold: Hold;
  /** Whether the id of a merged entity stands for the one that is left. Default true. */
  readonly throughAlias?: boolean;
}

/** The record an action is about, held as asked for; throws RESOURCE_NOT_FOUND. */
export async function holdTarget<K extends RecordKind>(
  tx: Transaction,
  work: MemoryWork,
  { kind, id, hold, throughAlias = true }: Target<K>,
): Promise<MemoryRecord & { kind: K }> {
  let present = id;
  for (let look = 0; look < limits.attempts; look++) {
    const [record] = await holdRecords(tx, work.organizationId, [present], hold);
    if (record !== undefined && record.kind !== kind) break;
    if (record !== undefined) return record as MemoryRecord & { kind: K };
    const winner = (await selectAliases(tx, work.organizationId, [present])).get(present);
    if (winner === undefined) break;
    if (!throughAlias) throw mergedAway(id, winner);
    present = winner;
  }
  throw errors.RESOURCE_NOT_FOUND({
    message: `There is no ${kind} ${id} in this organisation's memory.`,
    remediation: "Look it up (find_entities, search_memory) and use an id from there.",
  });
}

/** The id of an entity that another has taken in, where that other one can't be meant. */
export const mergedAway = (id: string, winner: string) =>
  errors.RESOURCE_NOT_FOUND({
    message: `${id} was merged into ${winner}.`,
    remediation: `If ${winner} is meant, say so by its own id.`,
    details: { merged_into: winner },
  });
