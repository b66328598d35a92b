import { isDeepStrictEqual } from "node:util";

/** A row as `to_jsonb` shows it. */
export type Row = Readonly<Record<string, any>>;

/** Who looks. */
export interface Looker {
  readonly name: string;
  readonly role: "anon" | "user" | "service";
  readonly userId: string | null;
  readonly email: string | null;
  /** What the server is shown: an access token, a key, or nothing. */
  readonly token: string | null;
  /** The claims that policies see, as JSON; empty for those who have none. */
  readonly claims: string;
}

/** What conditions may ask beside the row itself. */
export interface Surroundings {
  /** The rows of a table that its policies let them see. */
  visible(table: string, looker: Looker): readonly Row[];
}

/** SQL's three values; null is unknown. */
export type Truth = boolean | null;

/**
 * A condition, written twice: as SQL over the row of `table`, and as what it means. That the two agree is what the
 * suite compares Ambit with.
 */
export interface Expression {
  sql(table: string): string;
  holds(row: Row, looker: Looker, around: Surroundings): Truth;
}

export const all = (...parts: Expression[]): Expression => ({
  sql: (table) => parts.map((part) => `(${part.sql(table)})`).join(" and "),
  holds(row, looker, around) {
    const found = parts.map((part) => part.holds(row, looker, around));
    return found.includes(false) ? false : found.includes(null) ? null : true;
  },
});

export const any = (...parts: Expression[]): Expression => ({
  sql: (table) => parts.map((part) => `(${part.sql(table)})`).join(" or "),
  holds(row, looker, around) {
    const found = parts.map((part) => part.holds(row, looker, around));
    return found.includes(true) ? true : found.includes(null) ? null : false;
  },
});

export const not = (part: Expression): Expression => ({
  sql: (table) => `not (${part.sql(table)})`,
  holds(row, looker, around) {
    const found = part.holds(row, looker, around);
    return found === null ? null : !found;
  },
});

/** A condition on one value of the row: unknown where that is NULL. */
const of = (column: string, sql: string, test: (value: any, looker: Looker) => Truth): Expression => ({
  sql: () => sql,
  holds: (row, looker) =>
    row[column] === null || row[column] === undefined ? null : test(row[column], looker),
});

const claim = (name: string) => `(current_setting('request.jwt.claims', true)::json ->> '${name}')`;
const sameOrNull = (a: unknown, b: unknown): Truth => (b === null ? null : a === b);

export const owner = of("owner_id", "owner_id = current_user_id()", (id, { userId }) =>
  sameOrNull(id, userId),
);
/** Only for signed-in callers: others have no claims to read. */
export const mailIsMine = of("title", `title = ${claim("email")}`, (title, { email }) =>
  sameOrNull(title, email),
);
export const mailBegins = of("title", `title like ${claim("email")} || '%'`, (title, { email }) =>
  email === null ? null : title.startsWith(email),
);
export const subjectOwns = of("owner_id", `owner_id = ${claim("sub")}`, (id, { userId }) =>
  sameOrNull(id, userId),
);
export const open = of("public", "public", (value) => value);
export const openForSure: Expression = { sql: () => "public is true", holds: (row) => row.public === true };
export const kept = of("archived", "not archived", (value) => !value);
export const teamIs = (team: number) => of("team", `team = ${team}`, (value) => value === team);
export const teamAbove = (team: number) => of("team", `team > ${team}`, (value) => value > team);
export const teamAmong = (teams: readonly number[]) =>
  of("team", `team in (${teams.join(", ")})`, (value) => teams.includes(value));
export const untitled: Expression = { sql: () => "title is null", holds: (row) => row.title === null };
export const longTitle = of("title", "length(title) > 5", (title) => [...title].length > 5);
export const lowerTitle = of("title", "lower(title) = 'plain'", (title) => title.toLowerCase() === "plain");
export const always: Expression = { sql: () => "true", holds: () => true };

const teamsOf = (looker: Looker, around: Surroundings, activeOnly: boolean): number[] =>
  around
    .visible("members", looker)
    .filter((member) => looker.userId !== null && member.user_id === looker.userId)
    .filter((member) => !activeOnly || member.active === true)
    .map((member) => member.team);

const andActive = (activeOnly: boolean) => (activeOnly ? " and m.active" : "");

export const memberExists = (activeOnly: boolean): Expression => ({
  sql: (table) =>
    `exists (select 1 from members m where m.team = ${table}.team and m.user_id = current_user_id()${andActive(activeOnly)})`,
  holds: (row, looker, around) => row.team !== null && teamsOf(looker, around, activeOnly).includes(row.team),
});

export const memberIn = (activeOnly: boolean): Expression => ({
  sql: () =>
    `team in (select m.team from members m where m.user_id = current_user_id()${andActive(activeOnly)})`,
  holds(row, looker, around) {
    const teams = teamsOf(looker, around, activeOnly);
    if (teams.length === 0) return false;
    return row.team === null ? null : teams.includes(row.team);
  },
});

/** Of the table of members itself. */
export const ownMembership = of("user_id", "user_id = current_user_id()", (id, { userId }) =>
  sameOrNull(id, userId),
);
export const activeMembership = of("active", "active", (value) => value);

export const same = (a: unknown, b: unknown): boolean => isDeepStrictEqual(a, b);
