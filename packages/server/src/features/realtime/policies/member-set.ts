import type { MemberSource } from "./membership.ts";
import type { Member, MembershipSet, RowReader } from "./types.ts";
import { joinTexts } from "./values.ts";

/** A change does not fit what a set holds, or a value it needs is not in the log: the set has to be loaded again. */
export class SetOutOfStep extends Error {
  override name = "SetOutOfStep";

  constructor(table: string) {
    super(`The members from ${table} can't be followed through this change.`);
  }
}

/** Rough bytes of an entry of a map beside its text. */
const ENTRY_BYTES = 64;

/** Who is linked with what: counted, as several rows may say the same. */
export class MemberSet implements MembershipSet {
  readonly source: MemberSource;
  readonly #byLink = new Map<string, Map<Member, number>>();
  #bytes = 0;

  constructor(source: MemberSource) {
    this.source = source;
  }

  get bytes(): number {
    return this.#bytes;
  }

  load(rows: Iterable<readonly (string | null)[]>): void {
    this.#byLink.clear();
    this.#bytes = 0;
    const places = new Map(this.source.columns.map((column, at) => [column, at]));
    for (const row of rows) {
      const entry = this.#entryOf((column) => row[places.get(column)!]);
      if (entry !== null) this.#add(entry.link, entry.member);
    }
  }

  apply(before: RowReader | null, after: RowReader | null): readonly Member[] {
    const old = before === null ? null : this.#entryOf(before);
    const now = after === null ? null : this.#entryOf(after);
    if (old !== null && now !== null && old.link === now.link && old.member === now.member) return [];
    const moved: Member[] = [];
    if (old !== null && this.#remove(old.link, old.member)) moved.push(old.member);
    if (now !== null && this.#add(now.link, now.member) && now.member !== moved[0]) moved.push(now.member);
    return moved;
  }

  membersOf(row: RowReader): readonly Member[] {
    const entry = this.#entryOf(row);
    return entry === null ? [] : [entry.member];
  }

  /** The members linked with this; undefined for none. */
  linkedWith(link: string): ReadonlyMap<Member, number> | undefined {
    return this.#byLink.get(link);
  }

  has(link: string, member: Member): boolean {
    return this.#byLink.get(link)?.has(member) === true;
  }

  #entryOf(row: RowReader): { link: string; member: Member } | null {
    const counts = this.source.counts(row);
    if (counts === undefined) throw new SetOutOfStep(this.source.table);
    if (!counts) return null;
    const link = this.#key(this.source.links, row);
    const member = this.#key(this.source.holders, row);
    return link === null || member === null ? null : { link, member };
  }

  /** Null: one of them is NULL, which nothing equals. */
  #key(columns: readonly string[], row: RowReader): string | null {
    const texts: string[] = [];
    for (const column of columns) {
      const text = row(column);
      if (text === undefined) throw new SetOutOfStep(this.source.table);
      if (text === null) return null;
      texts.push(text);
    }
    return joinTexts(texts);
  }

  /** True if the member was not linked before. */
  #add(link: string, member: Member): boolean {
    let members = this.#byLink.get(link);
    if (members === undefined) {
      members = new Map();
      this.#byLink.set(link, members);
      this.#bytes += ENTRY_BYTES * 2 + link.length;
    }
    const count = members.get(member) ?? 0;
    members.set(member, count + 1);
    if (count === 0) this.#bytes += ENTRY_BYTES + member.length;
    return count === 0;
  }

  /** True if the member is not linked any more. */
  #remove(link: string, member: Member): boolean {
    const members = this.#byLink.get(link);
    const count = members?.get(member);
    if (members === undefined || count === undefined) throw new SetOutOfStep(this.source.table);
    if (count > 1) {
      members.set(member, count - 1);
      return false;
    }
    members.delete(member);
    this.#bytes -= ENTRY_BYTES + member.length;
    if (members.size === 0) {
      this.#byLink.delete(link);
      this.#bytes -= ENTRY_BYTES * 2 + link.length;
    }
    return true;
  }
}
