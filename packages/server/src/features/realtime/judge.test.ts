import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { loadViews } from "./catalog.ts";
import { type Identity, type Question, SqlJudge } from "./judge.ts";
import type { Rule } from "./table-view.ts";

let world: TestPlatform;
let appId: string;
const problems: string[] = [];
beforeAll(async () => {
  world = await testPlatform();
  appId = (await world.createApp()).id;
});
afterAll(() => world?.stop());

const define = (...statements: string[]) =>
  world.platform.database.ownerTransaction(appId, async (tx) => {
    for (const statement of statements) await tx.query(statement);
  });

/** The rule for end users that a policy with this expression makes. */
async function ruleFor(table: string, columns: string, using: string): Promise<Rule> {
  await define(
    `create table ${table} (${columns})`,
    `alter table ${table} enable row level security`,
    `create policy p on ${table} to butterbase_user using (${using})`,
  );
  const views = await world.platform.database.transaction((tx) => loadViews(tx, appId, [table]));
  return views.get(table)!.roles.user.rows as Rule;
}

const judge = (question: Omit<Question, "appId" | "role">) => {
  problems.length = 0;
  const { database, clock } = world.platform;
  return new SqlJudge(database, clock, (_app, sqlstate) => problems.push(sqlstate)).judge({
    appId,
    role: "user",
    ...question,
  });
};

const identity = (claims: Record<string, unknown>): Identity => ({
  claims: JSON.stringify(claims),
  subject: typeof claims.sub === "string" ? claims.sub : "",
});

describe("SqlJudge", () => {
  it("judges every row for every caller, in order, asking only for the columns the policy reads", async () => {
    await define(
      "create table member (team int, user_id text, primary key (team, user_id))",
      "insert into member select t, 'u' || (t % 3) from generate_series(1, 300) t",
    );
    const rule = await ruleFor(
      "job",
      "id int primary key, team int, payload text",
      "team in (select m.team from member m where m.user_id = current_user_id())",
    );
    expect(rule.columns).toEqual(["team"]);
    const rows = Array.from({ length: 1_000 }, (_, at) => [at % 7 === 0 ? null : String(at % 400)]);
    const verdicts = await judge({
      rule,
      rows,
      identities: [0, 1, 2].map((n) => identity({ sub: `u${n}` })),
    });
    for (const [n, verdict] of verdicts.entries()) {
      const expected = rows.map(([team]) =>
        Number(team !== null && +team! >= 1 && +team! <= 300 && +team! % 3 === n),
      );
      expect(verdict).toBe(expected.join(""));
    }
  });

  it("takes values of every kind as the log writes them", async () => {
    await define(
      "create type mood as enum ('fine', 'so, \"so\"')",
      "create domain tag as text check (value <> '')",
    );
    const rule = await ruleFor(
      "kinds",
      `a text, b text[], c jsonb, d timestamptz, e numeric(10,2), f bytea, g mood, h tag, i char(3), j int4range, k "char"`,
      `a = E'\\\\"{},\\n''' and b = array['x,y', null, '"'] and c ->> 'q' = '\\"' and d = '2026-01-02T03:04:05.678901Z'
       and e = 1.50 and f = '\\xdeadbeef' and g = 'so, "so"' and h = 't' and i = 'ab' and j = '[1,5)' and k = 'z'`,
    );
    const row = [
      `\\"{},\n'`,
      `{"x,y",NULL,"\\""}`,
      `{"q": "\\\\\\""}`,
      "2026-01-02 03:04:05.678901+00",
      "1.50",
      "\\xdeadbeef",
      `so, "so"`,
      "t",
      "ab ",
      "[1,5)",
      "z",
    ];
    expect(
      await judge({ rule, rows: [row, row.map(() => null)], identities: [identity({ sub: "u" })] }),
    ).toEqual(["10"]);
  });

  it("serves policies over the whole row", async () => {
    const rule = await ruleFor(
      "whole",
      "id int, owner text",
      "(to_jsonb(whole) ->> 'owner') = current_user_id()",
    );
    expect(
      await judge({
        rule,
        rows: [
          ["1", "u"],
          ["2", "v"],
        ],
        identities: [identity({ sub: "u" })],
      }),
    ).toEqual(["10"]);
  });

  it("leaves a caller for whom the policy fails without a verdict, and the others with theirs", async () => {
    const rule = await ruleFor("own", "id int primary key, owner uuid", "owner = current_user_id()::uuid");
    const id = "0199aaaa-0000-7000-8000-00000000000a";
    const identities = [identity({ sub: id }), identity({ sub: "not a uuid" }), identity({ sub: id })];
    expect(await judge({ rule, rows: [[id], [null]], identities })).toEqual(["10", null, "10"]);
    expect(problems).toEqual(["22P02"]);
  });

  it("gives each caller their own role and claims, whatever an expression did before", async () => {
    const rule = await ruleFor(
      "tricky",
      "id int primary key, owner text",
      `owner = current_user_id() and current_user::text like '%\\_user'
       and set_config('role', '${appId}_service', true) is not null
       and set_config('request.jwt.claim.sub', 'v', true) is not null`,
    );
    const identities = ["u", "v", "u"].map((sub) => identity({ sub }));
    expect(await judge({ rule, rows: [["u"]], identities })).toEqual(["1", "0", "1"]);
  });

  it("divides what takes too long, and shows nothing of what still does", async () => {
    const rule = await ruleFor(
      "slow",
      "id int primary key, seconds float",
      "current_user_id() <> 'x' and (select true from pg_sleep(seconds))",
    );
    await world.platform.database.closeTenant(appId);
    await world.platform.database.query(`alter role ${appId} set statement_timeout = '400ms'`);
    try {
      const rows = [["0.15"], ["0.16"], ["0.17"], ["0.18"]];
      expect(await judge({ rule, rows, identities: [identity({ sub: "u" })] })).toEqual(["1111"]);
      const identities = [identity({ sub: "x" }), identity({ sub: "u" }), identity({ sub: "x" })];
      expect(await judge({ rule, rows: [["5"]], identities })).toEqual(["0", null, "0"]);
      expect(problems).toEqual(["57014"]);
    } finally {
      await world.platform.database.closeTenant(appId);
      await world.platform.database.query(`alter role ${appId} set statement_timeout = '30s'`);
    }
  });
});
