import type { Identity } from "../judge.ts";
import { Claims, UNCLEAR } from "./claims.ts";
import type { Disjunct, Standing } from "./disjunct.ts";
import type { ClaimValue } from "./formula.ts";
import type { Member, RowReader, SetSource, VisibilityIndex, Watcher } from "./types.ts";

/** Per disjunct; null where it can never be fulfilled. */
type Standings = readonly (Standing | null)[];

/** The watchers of one disjunct. */
interface Part<W> {
  readonly disjunct: Disjunct;
  /** The membership that members are found by, if no key finds them. */
  readonly by: number | null;
  readonly buckets: Map<string, Set<W>>;
}

const NOBODY: readonly never[] = [];

/** Finds watchers from a row's values, by the disjuncts of a rule. */
export class Index<W extends Watcher> implements VisibilityIndex<W> {
  readonly #disjuncts: readonly Disjunct[];
  readonly #claims: readonly ClaimValue[];
  readonly #parts: readonly Part<W>[];
  readonly #standings = new Map<W, Standings>();
  /** By source, then by member. */
  readonly #holders = new Map<string, Map<Member, Set<W>>>();
  readonly #known = new WeakMap<Identity, Standings | null>();

  /** An identity is kept only if each of `claims` can be read. */
  constructor(disjuncts: readonly Disjunct[], claims: readonly ClaimValue[]) {
    this.#claims = claims;
    this.#disjuncts = disjuncts;
    this.#parts = disjuncts.map((disjunct) => {
      const at = disjunct.keyed ? -1 : disjunct.belongings.findIndex(({ exists }) => exists);
      return { disjunct, by: at < 0 ? null : at, buckets: new Map() };
    });
  }

  get size(): number {
    return this.#standings.size;
  }

  add(watcher: W): boolean {
    if (this.#standings.has(watcher)) return true;
    const standings = this.#standingsOf(watcher.identity);
    if (standings === null) return false;
    this.#standings.set(watcher, standings);
    this.#each(standings, (map, key) => {
      const bucket = map.get(key);
      if (bucket === undefined) map.set(key, new Set([watcher]));
      else bucket.add(watcher);
    });
    return true;
  }

  remove(watcher: W): void {
    const standings = this.#standings.get(watcher);
    if (standings === undefined) return;
    this.#standings.delete(watcher);
    this.#each(standings, (map, key) => {
      const bucket = map.get(key);
      bucket?.delete(watcher);
      if (bucket?.size === 0) map.delete(key);
    });
  }

  /** What it gives is to be read before anybody is added or removed. */
  seeing(row: RowReader): Iterable<W> | null {
    let found: Iterable<W> = NOBODY;
    let several: Set<W> | null = null;
    for (const part of this.#parts) {
      if (part.buckets.size === 0) continue;
      const some = this.#seeingBy(part, row);
      if (some === undefined) return null;
      if (some === NOBODY) continue;
      if (found === NOBODY) {
        found = some;
        continue;
      }
      several ??= new Set(found);
      for (const watcher of some) several.add(watcher);
    }
    return several ?? found;
  }

  sees(identity: Identity, row: RowReader): boolean | null {
    const standings = this.#standingsOf(identity);
    if (standings === null) return null;
    let result: boolean | null = false;
    for (const [at, standing] of standings.entries()) {
      if (standing === null) continue;
      const answer = this.#disjuncts[at]!.sees(standing, row);
      if (answer === true) return true;
      if (answer === undefined) result = null;
    }
    return result;
  }

  holding(source: SetSource, members: readonly Member[]): Iterable<W> {
    const holders = this.#holders.get(source.key);
    const found = new Set<W>();
    for (const member of members) for (const watcher of holders?.get(member) ?? []) found.add(watcher);
    return found;
  }

  #seeingBy({ disjunct, by, buckets }: Part<W>, row: RowReader): Iterable<W> | undefined {
    const fits = disjunct.fits(row);
    if (fits === undefined) return undefined;
    if (!fits) return NOBODY;
    let candidates: readonly Set<W>[];
    if (by === null) {
      const key = disjunct.keyed ? disjunct.key(row) : "";
      if (key === undefined) return undefined;
      const bucket = key === null ? undefined : buckets.get(key);
      if (bucket === undefined) return NOBODY;
      if (!disjunct.asksMore) return bucket;
      candidates = [bucket];
    } else {
      const link = disjunct.link(by, row);
      if (link === undefined) return undefined;
      const members = link === null ? undefined : disjunct.belongings[by]!.set.linkedWith(link);
      if (members === undefined) return NOBODY;
      candidates = common(buckets, members);
    }
    const more = disjunct.more(row);
    if (more === undefined) return undefined;
    const seeing: W[] = [];
    const at = this.#disjuncts.indexOf(disjunct);
    for (const bucket of candidates) {
      for (const watcher of bucket) {
        if (more(this.#standings.get(watcher)![at]!)) seeing.push(watcher);
      }
    }
    return seeing.length === 0 ? NOBODY : seeing;
  }

  /** All places where a watcher of these standings stands. */
  #each(standings: Standings, visit: (map: Map<string, Set<W>>, key: string) => void): void {
    for (const [at, standing] of standings.entries()) {
      if (standing === null) continue;
      const { by, buckets, disjunct } = this.#parts[at]!;
      visit(buckets, by === null ? standing.key : standing.members[by]!);
      for (const [which, member] of standing.members.entries()) {
        const { key } = disjunct.belongings[which]!.set.source;
        if (member === null) continue;
        let holders = this.#holders.get(key);
        if (holders === undefined) {
          holders = new Map();
          this.#holders.set(key, holders);
        }
        visit(holders, member);
      }
    }
  }

  /** Null: for this identity only SQL is exact. */
  #standingsOf(identity: Identity): Standings | null {
    let standings = this.#known.get(identity);
    if (standings !== undefined) return standings;
    const claims = new Claims(identity);
    const all = this.#disjuncts.map((disjunct) => disjunct.standing(claims));
    const unclear = all.includes(UNCLEAR) || this.#claims.some((claim) => claim.read(claims) === UNCLEAR);
    standings = unclear ? null : (all as (Standing | null)[]);
    this.#known.set(identity, standings);
    return standings;
  }
}

/** The buckets of these members, looked for from the smaller side. */
function common<W>(buckets: ReadonlyMap<string, Set<W>>, members: ReadonlyMap<Member, number>): Set<W>[] {
  const found: Set<W>[] = [];
  if (members.size <= buckets.size) {
    for (const member of members.keys()) {
      const bucket = buckets.get(member);
      if (bucket !== undefined) found.push(bucket);
    }
    return found;
  }
  for (const [member, bucket] of buckets) if (members.has(member)) found.push(bucket);
  return found;
}
