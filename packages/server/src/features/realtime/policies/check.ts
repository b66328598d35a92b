import type { Identity, Judge } from "../judge.ts";
import type { Rule, ViewerRole } from "../table-view.ts";
import { trialOf } from "./hostile.ts";
import { limits } from "./limits.ts";
import type { CompiledRule, MembershipSet, RowReader, SetSource } from "./types.ts";

type Decision = boolean | "split";

/** A pair about which a compiled rule and Postgres disagree. */
export interface Difference {
  readonly identity: Identity;
  /** By column. */
  readonly row: Readonly<Record<string, string | null>>;
  /** What Postgres says; null: it fails for this identity. */
  readonly sql: boolean | null;
  /** `split`: asked in its two ways, the index disagrees with itself. */
  readonly compiled: Decision;
}

export type CheckResult = { readonly equal: true } | { readonly equal: false; readonly example: Difference };

/** What a check asks. */
export interface CheckPorts {
  readonly appId: string;
  readonly role: ViewerRole;
  /** The same policies as SQL. */
  readonly rule: Rule;
  readonly judge: Judge;
  /** The rows of a source as they are now, its columns in order; what `selectMembers` gives. */
  members(source: SetSource): Promise<readonly (readonly (string | null)[])[]>;
}

export interface CheckOptions {
  /** Rows that occur in the table, texts of the SQL rule's columns. */
  readonly rows?: readonly (readonly (string | null)[])[];
  readonly seed: number;
}

type Rows = readonly (readonly (string | null)[])[];

/** Makes up hostile rows and identities, and compares the compiled rule with Postgres on each pair of them. */
export async function checkRule(
  compiled: CompiledRule,
  ports: CheckPorts,
  options: CheckOptions,
): Promise<CheckResult> {
  const occurring = await textsOf(compiled, ports);
  const trial = trialOf(compiled.probes, occurring, options.seed);
  const made = trial.rows.map((row) => ports.rule.columns.map((column) => row.get(column) ?? null));
  return sampleCheck(compiled, [...(options.rows ?? []), ...made], trial.identities, ports);
}

/**
 * Compares on these rows (texts of the SQL rule's columns) and identities. Member tables may change meanwhile: only
 * a difference that is there with the members before and after, time and again, is one. Rejects only if the database
 * does not answer.
 */
export async function sampleCheck(
  compiled: CompiledRule,
  rows: Rows,
  identities: readonly Identity[],
  ports: CheckPorts,
): Promise<CheckResult> {
  if (rows.length === 0 || identities.length === 0) return { equal: true };
  const { appId, role, rule, judge } = ports;
  let found: Difference | null = null;
  for (let attempt = 0; attempt < limits.checkTries; attempt += 1) {
    const before = await decisions(compiled, rows, identities, ports);
    const verdicts = await judge.judge({ appId, role, rule, identities, rows });
    found = differenceFrom(before, verdicts, rows, identities, rule);
    if (found === null) return { equal: true };
    if (compiled.sources.length === 0) break;
    const after = await decisions(compiled, rows, identities, ports);
    if (differenceFrom(after, verdicts, rows, identities, rule) === null) return { equal: true };
  }
  return { equal: false, example: found! };
}

/** Per identity what the compiled rule says of each row; null where it leaves the identity to SQL. */
async function decisions(
  compiled: CompiledRule,
  rows: Rows,
  identities: readonly Identity[],
  { rule, members }: CheckPorts,
): Promise<(readonly Decision[] | null)[]> {
  const sets = new Map<string, MembershipSet>();
  for (const source of compiled.sources) {
    const set = compiled.newSet(source);
    set.load(await members(source));
    sets.set(source.key, set);
  }
  const index = compiled.index<{ identity: Identity }>((source) => sets.get(source.key)!);
  const watchers = identities.map((identity) => ({ identity }));
  const kept = new Set(watchers.filter((watcher) => index.add(watcher)));
  const readers = rows.map((row): RowReader => {
    const cells = new Map(rule.columns.map((column, at) => [column, row[at] ?? null]));
    return (column) => cells.get(column);
  });
  const seen = readers.map((reader) => new Set(index.seeing(reader) ?? []));
  return watchers.map((watcher) => {
    if (!kept.has(watcher)) return null;
    return readers.map((reader, at) => {
      const among = seen[at]!.has(watcher);
      return index.sees(watcher.identity, reader) === among ? among : "split";
    });
  });
}

function differenceFrom(
  decided: readonly (readonly Decision[] | null)[],
  verdicts: readonly (string | null)[],
  rows: Rows,
  identities: readonly Identity[],
  rule: Rule,
): Difference | null {
  for (const [at, decision] of decided.entries()) {
    if (decision === null) continue;
    const verdict = verdicts[at] ?? null;
    for (const [rowAt, compiled] of decision.entries()) {
      const sql = verdict === null ? null : verdict[rowAt] === "1";
      if (sql === compiled) continue;
      const row = Object.fromEntries(
        rule.columns.map((column, cell) => [column, rows[rowAt]![cell] ?? null]),
      );
      return { identity: identities[at]!, row, sql, compiled };
    }
  }
  return null;
}

/** Some of the texts in the member tables. */
async function textsOf(compiled: CompiledRule, { members }: CheckPorts): Promise<string[]> {
  const texts = new Set<string>();
  for (const source of compiled.sources) {
    for (const row of (await members(source)).slice(0, limits.checkRows)) {
      for (const text of row) if (text !== null) texts.add(text);
    }
  }
  return [...texts];
}
