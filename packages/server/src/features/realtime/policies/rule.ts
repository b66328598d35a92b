import { Disjunct } from "./disjunct.ts";
import type { ClaimValue, Dnf, Literal } from "./formula.ts";
import { MemberSet } from "./member-set.ts";
import type { MemberSource } from "./membership.ts";
import type { CompiledRule, MembershipSet, Probes, SetSource, VisibilityIndex, Watcher } from "./types.ts";
import { Index } from "./visibility-index.ts";

/** A rule as the ways in which it may be fulfilled. */
export class Rule implements CompiledRule {
  readonly key: string;
  readonly columns: readonly string[];
  readonly sources: readonly SetSource[];
  readonly probes: Probes;
  readonly #disjuncts: Dnf;
  readonly #claims: readonly ClaimValue[];
  readonly #sources: ReadonlyMap<string, MemberSource>;

  /**
   * `origin` names what it was compiled from; `claims` are all values that the policies take from the claims, those
   * among them that decide nothing: where one can't be read, Postgres may fail instead of deciding.
   */
  constructor(origin: string, disjuncts: Dnf, claims: readonly ClaimValue[], probes: Probes) {
    this.#claims = claims;
    this.#disjuncts = disjuncts;
    this.probes = probes;
    const literals = disjuncts.flat();
    this.columns = [...new Set(literals.flatMap(columnsOf))].sort();
    this.#sources = new Map(
      literals.flatMap((literal) =>
        "membership" in literal ? [[literal.membership.source.key, literal.membership.source] as const] : [],
      ),
    );
    this.sources = [...this.#sources.values()];
    const ids = disjuncts.map((disjunct) => disjunct.map(({ id }) => id));
    this.key = JSON.stringify([origin, ids]);
  }

  index<W extends Watcher>(set: (source: SetSource) => MembershipSet): VisibilityIndex<W> {
    const setOf = (source: MemberSource) => {
      const given = set(source);
      if (given instanceof MemberSet) return given;
      throw new TypeError(`The set of ${source.table} was not made by a compiled rule.`);
    };
    return new Index<W>(
      this.#disjuncts.map((literals) => new Disjunct(literals, ({ source }) => setOf(source))),
      this.#claims,
    );
  }

  newSet(source: SetSource): MembershipSet {
    const known = this.#sources.get(source.key);
    if (known === undefined) throw new TypeError(`The rule has no source ${source.key}.`);
    return new MemberSet(known);
  }
}

/** The columns of the judged row that a condition reads. */
function columnsOf(literal: Literal): readonly string[] {
  if ("membership" in literal) return literal.membership.columns;
  if (literal.is === "columns") return literal.columns;
  return literal.is === "equal" || literal.is === "differs" ? [literal.column] : [];
}
