import fc from "fast-check";
import { expect, test } from "vitest";
import { checkExpression, type ExpressionUse } from "./expression.ts";
import { loadParser } from "./parser.ts";
import { checkStatement } from "./statement.ts";

const options = { appSchema: "app_x" };
const uses: ExpressionUse[] = ["default", "check", "policy", "index", "generated"];

// Pieces of attacks and of honest SQL; random sequences of them parse often enough to matter.
const PIECES =
  `set_config ( ) ( ) , ; . . :: + = -- /* */ ' '' " $$ $1 \\ E' U&" [ ] * 1 'x' a b todos f now ( ) now() lower(
  pg_sleep(1) (1) pg_authid pg_catalog . app_y app_x regclass select from where with as union exists(select (select
  from unnest(array[1.0]) f in not null is and or case when then end cast over () filter for update into values
  returning delete insert limit operator(pg_catalog.+) collate xml current_user_id() nextval('s') array[ ] lateral`
    .split(/\s+/)
    .filter((piece) => piece !== "");
const soup = fc
  .array(
    fc.oneof(
      { arbitrary: fc.constantFrom(...PIECES), weight: 9 },
      fc.string({ unit: "binary", maxLength: 3 }),
    ),
    {
      maxLength: 14,
    },
  )
  .chain((pieces) => fc.constantFrom(" ", "", "\n").map((gap) => pieces.join(gap)));
const anyText = fc.oneof({ arbitrary: soup, weight: 5 }, fc.string({ unit: "binary" }));

// A dangerous name may well be the name of a column or an alias; after one of these tokens it is none.
const FORBIDDEN: Record<string, { after: string[]; called: boolean }> = {
  set_config: {
    after: ["(", "[", "select", "where", "=", "+", "and", "or", "when", "then", "returning"],
    called: true,
  },
  pg_sleep: {
    after: ["(", "[", "select", "where", "=", "+", "and", "or", "when", "then", "returning"],
    called: true,
  },
  pg_authid: { after: ["from", "join", "update", "into", "."], called: false },
  regclass: { after: ["::"], called: false },
};

/** An independent reading of an accepted text, from its tokens alone. */
async function expectHarmless(text: string): Promise<void> {
  const tokens = (await loadParser()).scan(text);
  if (!Array.isArray(tokens)) throw new Error(`does not scan: ${text}`);
  tokens.forEach((token, index) => {
    expect(token.text).not.toBe(";");
    expect(token.tokenName).not.toMatch(/COMMENT/);
    const rule = Object.hasOwn(FORBIDDEN, token.text) ? FORBIDDEN[token.text]! : undefined;
    if (!rule || (rule.called && tokens[index + 1]?.text !== "(")) return;
    expect(rule.after).not.toContain(tokens[index - 1]?.text);
  });
}

test("an expression of any text gives a verdict; what is accepted is harmless and stays as it is", async () => {
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(anyText, fc.constantFrom(...uses), async (text, use) => {
      const verdict = await checkExpression(text, use, options);
      expect(verdict.ok).toBe(verdict.problems.length === 0);
      if (!verdict.ok) return;
      accepted += 1;
      await expectHarmless(verdict.normalized!);
      expect(await checkExpression(verdict.normalized!, use, options)).toEqual(verdict);
    }),
    { numRuns: 4000 },
  );
  expect(accepted).toBeGreaterThan(20);
});

test("a statement of any text gives a verdict; what is accepted is harmless and stays as it is", async () => {
  let accepted = 0;
  const statement = fc.oneof(
    anyText.map((text) => `select ${text}`),
    anyText,
  );
  await fc.assert(
    fc.asyncProperty(statement, fc.constantFrom("read" as const, "write" as const), async (sql, allow) => {
      const verdict = await checkStatement(sql, { ...options, allow });
      expect(verdict.ok).toBe(verdict.problems.length === 0);
      if (!verdict.ok) return;
      accepted += 1;
      await expectHarmless(verdict.normalized!);
      expect(await checkStatement(verdict.normalized!, { ...options, allow })).toEqual(verdict);
    }),
    { numRuns: 4000 },
  );
  expect(accepted).toBeGreaterThan(20);
});

// Places in an honest policy where an expression may stand.
const PLACES = [
  "$ is null",
  "lower($::text) = 'x'",
  "case when a then $ is null else false end",
  "a in (1, $)",
  "(a, $) = (1, 2)",
  "array[$] is null",
  "tags[$] = 'x'",
  "coalesce($, a) is null",
  "greatest(1, $) > 0",
  "nullif($, 1) is null",
  "$ between 1 and 2",
  "a like $",
  "cast($ as text) = ''",
  "not ($ is distinct from 1)",
  "a = any (array[$])",
  "json_object('a': $) is json",
  "json_value(a, '$.b' passing $ as x) = ''",
  "json_value(a, '$.b' default $ on empty) = ''",
  "exists (select $)",
  "exists (select from t where $ is null)",
  "exists (select from t join u on $ is null)",
  "exists (select from t group by $ having $ is null)",
  "exists (select from t order by $ limit $ offset $)",
  "exists (select count(*) filter (where $ is null) over (partition by $ order by $) from t)",
  "exists (select string_agg(a, b order by $) from t)",
  "exists (select distinct on ($) a from t)",
  "exists (with q as (select $) select from q)",
  "exists (with recursive q as (select 1 union select $) select from q)",
  "exists (select from (values (1, $)) v)",
  "exists (select from lateral unnest(array[$]) as f(a))",
  "exists (select from rows from (unnest(array[1]), unnest(array[$])) as f(a, b))",
  "exists (select from json_table(a, '$[*]' passing $ as x columns (b int path '$' default $ on error)) j)",
  "exists (select from t tablesample bernoulli ($))",
  "exists (select json_arrayagg($ order by $) from t)",
  "exists (select 1 from t window w as (order by $))",
  "exists (select from t group by grouping sets (($), ()))",
  "a = (select $ from t)",
  "a = any (select $)",
  "exists (select 1 union select 1 from t where $ is null)",
].map((place) => place.replaceAll("'$", "'\u0001"));

test.each(PLACES)("the walk reaches into %s", async (place) => {
  const fill = (text: string) => place.replaceAll("$", text).replaceAll("\u0001", "$");
  expect((await checkExpression(fill("1"), "policy", options)).problems).toEqual([]);
  // One place at a time.
  const holes = place.split("$").length - 1;
  for (let hole = 0; hole < holes; hole += 1) {
    let seen = -1;
    const text = place.replaceAll("$", () => (++seen === hole ? "set_config('a', 'b', true)" : "1"));
    const { problems } = await checkExpression(text.replaceAll("\u0001", "$"), "policy", options);
    expect(problems).toMatchObject([{ code: "FUNCTION_NOT_ALLOWED", subject: "set_config" }]);
  }
});
