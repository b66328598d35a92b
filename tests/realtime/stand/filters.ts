import type { Dice } from "../../gateway/stand/dice.ts";
import type { Row, Truth } from "./expressions.ts";

/** A client's filter: as it goes over the wire, as the data API's query, and as what it means. */
export interface FilterSpec {
  readonly wire: unknown;
  readonly query: string;
  test(row: Row): boolean;
  /** Only equality, which clients without ids have. */
  readonly plain: boolean;
}

type Test = (row: Row) => Truth;

/** NULL is neither equal nor unequal to anything. */
const on =
  (column: string, test: (value: any) => boolean): Test =>
  (row) =>
    row[column] === null || row[column] === undefined ? null : test(row[column]);

const either =
  (...tests: Test[]): Test =>
  (row) => {
    const found = tests.map((test) => test(row));
    return found.includes(true) ? true : found.includes(null) ? null : false;
  };

const spec = (wire: unknown, query: string, test: Test, plain = false): FilterSpec => ({
  ...{ wire, query, plain },
  test: (row) => test(row) === true,
});

/** Strict equality, in the form of old clients; null means NULL. */
export function plainFilter(dice: Dice): FilterSpec {
  const team = 1 + dice.int(3);
  return dice.pick([
    spec({ team }, `team=eq.${team}`, (row) => row.team === team, true),
    spec({ public: true }, "public=eq.true", (row) => row.public === true, true),
    spec(
      { team, public: true },
      `team=eq.${team}&public=eq.true`,
      (row) => row.team === team && row.public === true,
      true,
    ),
    spec({ team: null }, "team=is.null", (row) => row.team === null, true),
    spec({ title: "plain" }, "title=eq.plain", (row) => row.title === "plain", true),
  ]);
}

/** Any of the data API's, in one of the forms a subscription may give it. */
export function randomFilter(dice: Dice, extras: readonly string[]): FilterSpec {
  if (dice.chance(0.3)) return plainFilter(dice);
  const n = 1 + dice.int(3);
  const forms: FilterSpec[] = [
    spec(
      { team: { op: "gte", value: n } },
      `team=gte.${n}`,
      on("team", (team) => team >= n),
    ),
    spec(
      `team=lt.${n}`,
      `team=lt.${n}`,
      on("team", (team) => team < n),
    ),
    spec(
      { team: { op: "neq", value: n } },
      `team=neq.${n}`,
      on("team", (team) => team !== n),
    ),
    spec(
      "team=in.(1,3)",
      "team=in.(1,3)",
      on("team", (team) => team === 1 || team === 3),
    ),
    spec(
      `team=not.eq.${n}`,
      `team=not.eq.${n}`,
      on("team", (team) => team !== n),
    ),
    spec("public=is.true", "public=is.true", (row) => row.public === true),
    spec(
      "title=is.not_null&archived=eq.false",
      "title=is.not_null&archived=eq.false",
      (row) => row.title !== null && row.archived === false,
    ),
    spec(
      "title=ilike.plain",
      "title=ilike.plain",
      on("title", (title) => title.toLowerCase() === "plain"),
    ),
    spec(
      `or=(team.eq.${n},public.is.true)`,
      `or=(team.eq.${n},public.is.true)`,
      either(
        on("team", (team) => team === n),
        (row) => row.public === true,
      ),
    ),
  ];
  if (extras.includes("tags")) {
    forms.push(
      spec(
        "tags=cs.{a}",
        "tags=cs.{a}",
        on("tags", (tags) => tags.includes("a")),
      ),
    );
  }
  if (extras.includes("num")) {
    forms.push(
      spec(
        { num: { op: "gt", value: 10 } },
        "num=gt.10",
        on("num", (num) => Number(num) > 10),
      ),
    );
  }
  if (extras.includes("mood")) {
    forms.push(
      spec(
        "mood=gte.ok",
        "mood=gte.ok",
        on("mood", (mood) => mood !== "sad"),
      ),
    );
  }
  return dice.pick(forms);
}
