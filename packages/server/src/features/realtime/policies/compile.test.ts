import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkRule, sampleCheck } from "./check.ts";
import { identityOf, PolicyWorld } from "./testing/policy-world.ts";

let world: PolicyWorld;
beforeAll(async () => {
  world = await PolicyWorld.start();
  await world.define(
    "create type mood as enum ('fine', 'bad')",
    `create collation loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
    `create table job (id int primary key, owner text, uid uuid, short varchar(5), team int, big bigint, small int2,
       open boolean, mood mood, at timestamptz, price numeric, loose text collate loose, doc jsonb,
       twice int generated always as (team * 2) virtual)`,
    "create table member (team int, user_id text, uid uuid, role text, active boolean, secret text)",
    "create table admin (user_id text)",
    "alter table job enable row level security",
    "alter table admin enable row level security",
    "create policy own on admin to butterbase_user using (user_id = current_user_id())",
    "create table closed (user_id text)",
    "alter table closed enable row level security",
    "create table nested (user_id text, team int)",
    "alter table nested enable row level security",
    "create policy n on nested using (exists (select 1 from member m where m.team = nested.team))",
    "create table parent (team int, user_id text)",
    "create table child () inherits (parent)",
    "create table forced (user_id text)",
    "alter table forced enable row level security",
    "alter table forced force row level security",
    "create view look as select * from member",
    "grant select on look to butterbase_user",
    "create function mine(t int) returns boolean language sql stable as 'select t > 1'",
    `revoke select on member from ${world.appId}_user`,
    `grant select (team, user_id, uid, role, active) on member to ${world.appId}_user`,
    "insert into member values (1, 'a', '0199aaaa-0000-7000-8000-00000000000a', 'admin', true), (1, 'b', null, null, false), (2, 'a', null, 'x', null), (null, 'a', null, 'x', true), (2, null, null, 'x', true)",
    "insert into admin values ('a'), ('b')",
    "insert into closed values ('a')",
  );
});
afterAll(() => world?.stop());

const CLAIMS = "current_setting('request.jwt.claims', true)";
const UNDERSTOOD = [
  "true",
  "false",
  "null",
  "open",
  "not open",
  "open is true",
  "open is not true",
  "open is not false",
  "open is unknown",
  "open = false",
  "team is null",
  "at is not null",
  "team = 5",
  "team <> 5",
  "team >= -5 and team < 7",
  "big = 5000000000",
  "small = 5 or big = small",
  "short = 'abc'",
  "short in ('abc', 'x', null)",
  "team not in (1, 2)",
  "team = any ('{1,2,null}')",
  "mood = 'fine'",
  "mood::text = owner",
  "uid = '0199aaaa-0000-7000-8000-00000000000a'",
  "owner = current_user_id()",
  "current_user_id() = owner",
  "owner = (select current_user_id())",
  "uid = current_user_id()::uuid",
  "uid = (select current_user_id()::uuid)",
  "uid::text = current_user_id()",
  "short = current_user_id()",
  "team = current_user_id()::int",
  "small = current_user_id()::bigint",
  "team::text = current_user_id()",
  "owner <> current_user_id()",
  "not (owner = current_user_id())",
  "(owner = current_user_id()) is not true",
  "(owner = current_user_id()) is unknown",
  "owner is distinct from current_user_id()",
  "owner is not distinct from current_user_id()",
  "coalesce(owner = current_user_id(), true)",
  "current_user_id() is not null",
  "owner = current_setting('request.jwt.claim.sub', true)",
  "owner = current_setting('request.jwt.claim.sub')",
  `owner = ${CLAIMS}::json ->> 'sub'`,
  `owner = (${CLAIMS}::jsonb ->> 'org')`,
  `owner = nullif(${CLAIMS}, '')::json ->> 'org'`,
  `owner = nullif(nullif(${CLAIMS}, '')::json ->> 'org', '')`,
  `owner = coalesce(${CLAIMS}::json ->> 'org', 'none')`,
  `owner = coalesce(${CLAIMS}::json ->> 'org', current_user_id())`,
  `owner = ${CLAIMS}::jsonb -> 'app' ->> 'org'`,
  `owner = ${CLAIMS}::jsonb #>> '{app,org}'`,
  `team = (${CLAIMS}::jsonb #>> array['app', 'team'])::int`,
  `open = (${CLAIMS}::jsonb ->> 'flag')::boolean`,
  `(${CLAIMS}::jsonb ->> 'flag')::boolean`,
  `${CLAIMS}::json ->> 'role' = 'admin' or owner = current_user_id()`,
  `${CLAIMS}::json ->> 'role' in ('admin', 'boss') and open`,
  `not (${CLAIMS}::json ->> 'role' = 'admin' and owner = current_user_id())`,
  "owner = current_user_id() and (open or team = 3) or mood = 'bad'",
  "team in (select m.team from member m where m.user_id = current_user_id())",
  "team = any (select m.team from member m where m.user_id = current_user_id() and m.active)",
  "exists (select 1 from member m where m.team = job.team and m.user_id = current_user_id() and m.role in ('admin', 'x'))",
  "exists (select from member where member.team = job.team and member.user_id = current_user_id())",
  "exists (select 1 from member m where m.team = job.team and m.user_id = job.owner and m.uid = current_user_id()::uuid)",
  `exists (select 1 from member m where m.team = job.team and m.user_id = current_user_id() and m.role = ${CLAIMS}::json ->> 'role')`,
  "(team, owner) in (select m.team, m.user_id from member m where m.active)",
  "current_user_id() in (select m.user_id from member m where m.team = job.team)",
  "exists (select 1 from admin a where a.user_id = current_user_id())",
  "owner in (select user_id from admin)",
  "exists (select 1 from closed)",
  "exists (select 1 from member where user_id = current_user_id()) and open",
  "not exists (select 1 from member m where m.team = job.team and m.user_id = current_user_id())",
  "not exists (select 1 from member m where m.team = job.team and job.open and m.user_id = current_user_id())",
  "owner = current_user_id() or team in (select m.team from member m where m.user_id = current_user_id() or m.active)",
  "team in (select m.team from member m where m.user_id = current_user_id()) and owner <> current_user_id()",
  "exists (select 1 from member m where m.team = job.team and m.user_id = current_user_id()) and exists (select 1 from admin a where a.user_id = job.owner)",
];

describe("policies that are understood decide as Postgres does", () => {
  it.each(UNDERSTOOD)("%s", async (using) => {
    await world.policy("job", using);
    const rule = await world.compile("job");
    if ("refused" in rule) throw new Error(rule.refused);
    const ports = await world.ports("job");
    if (typeof ports.rule === "string") {
      expect(["true", "false"]).toContain(using);
      return;
    }
    for (const seed of [1, 2, 3]) {
      expect(await checkRule(rule, ports, { seed })).toEqual({ equal: true });
    }
  });
});

const REFUSED: [string, RegExp][] = [
  ["price = 1", /numeric/],
  ["at > now()", /operator|now|not followed|compared/],
  ["owner like 'a%'", /operator/],
  ["owner < 'b'", /integers only/],
  ["loose = 'a'", /letters/],
  ["twice = 4", /log does not carry/],
  ["uid = owner::uuid", /owner is cast/],
  ["mine(team)", /function/],
  ["lower(owner) = current_user_id()", /lower/],
  ["doc ->> 'owner' = current_user_id()", /JSON of a column/],
  ["(to_jsonb(job) ->> 'owner') = current_user_id()", /not followed/],
  ["short = current_user_id()::varchar(3)", /changes values/],
  [`(${CLAIMS}::jsonb -> 'teams') ? owner`, /operator/],
  [`owner = ${CLAIMS}::json ->> 0`, /place in JSON/],
  ["owner = current_setting('app.tenant', true)", /current_setting/],
  ["owner = current_user", /not followed/],
  ["team = (select max(m.team) from member m)", /subquery/],
  ["exists (select count(*) from member m where m.team = job.team)", /count/],
  ["exists (select 1 from member m join admin a on a.user_id = m.user_id)", /more than a selection/],
  ["team in (select m.team from member m limit 1)", /more than a selection/],
  ["team in (select m.team from member m union select 1)", /more than a selection/],
  ["not (team in (select m.team from member m where m.user_id = current_user_id()))", /NOT/],
  ["exists (select 1 from member m where m.team <> job.team)", /other than =/],
  ["exists (select 1 from member m where m.user_id <> current_user_id())", /<> is asked/],
  ["exists (select 1 from member m where m.secret = current_user_id())", /may not read/],
  ["exists (select 1 from nested n where n.user_id = current_user_id())", /further table/],
  ["exists (select 1 from parent n where n.user_id = current_user_id())", /inherit/],
  ["exists (select 1 from forced n where n.user_id = current_user_id())", /owner/],
  ["exists (select 1 from look l where l.user_id = current_user_id())", /no plain table/],
  ["exists (select 1 from pg_catalog.pg_class c where c.relname = job.owner)", /another schema/],
  ["exists (select 1 from job j where j.owner = current_user_id())", /itself/],
];

describe("what is not understood is refused, with the reason", () => {
  it.each(REFUSED)("%s", async (using, reason) => {
    await world.policy("job", using);
    const rule = await world.compile("job");
    expect(rule).toEqual({ refused: expect.stringMatching(reason) });
  });

  it("policies with too many alternatives", async () => {
    const pairs = Array.from({ length: 14 }, (_, at) => `(team = ${at} or big = ${at})`);
    await world.policy("job", pairs.join(" and "));
    expect(await world.compile("job")).toEqual({ refused: expect.stringMatching(/too many/) });
  });

  it("a claim function that is not what was shipped", async () => {
    const replace = (body: string) =>
      world.test.asSuperuser(
        `create or replace function ambit_helpers.current_user_id() returns text language sql stable parallel safe as $$ ${body} $$`,
      );
    await world.policy("job", "owner = current_user_id()");
    await replace("select nullif(current_setting('request.jwt.claim.sub', true), 'x')");
    try {
      expect(await world.compile("job")).toEqual({ refused: expect.stringMatching(/current_user_id/) });
    } finally {
      await replace("select nullif(current_setting('request.jwt.claim.sub', true), '')");
    }
    expect(await world.compile("job")).not.toHaveProperty("refused");
  });
});

describe("several policies", () => {
  it("permissive ones widen, restrictive ones narrow, those of other roles do not count", async () => {
    await world.policy("job", "owner = current_user_id()");
    await world.define(
      "create policy q on job for select to butterbase_user using (open)",
      "create policy r on job as restrictive to butterbase_user using (team <> 3)",
      "create policy s on job to butterbase_anon using (true)",
    );
    try {
      const rule = await world.compile("job");
      if ("refused" in rule) throw new Error(rule.refused);
      const ports = await world.ports("job");
      expect(await checkRule(rule, ports, { seed: 4 })).toEqual({ equal: true });
      const rows = ["t", "f"].flatMap((open) =>
        ["3", "4"].map((team) => ports.rule.columns.map((column) => ({ owner: "a", open, team })[column]!)),
      );
      const identities = [identityOf({ sub: "a" }), identityOf({ sub: "b" })];
      expect(await sampleCheck(rule, rows, identities, ports)).toEqual({ equal: true });
    } finally {
      await world.define("drop policy q on job", "drop policy r on job", "drop policy s on job");
    }
  });
});

describe("a check", () => {
  it("finds a rule that is not what the policies say", async () => {
    const wrong: [string, string][] = [
      ["owner = current_user_id()", "owner = current_user_id() or team = 1"],
      ["owner = current_user_id()", "owner = current_user_id() and open is not false"],
      ["team <> 5", "team is distinct from 5"],
      ["team < 5", "team <= 5"],
      [`owner = coalesce(${CLAIMS}::json ->> 'org', 'none')`, `owner = ${CLAIMS}::json ->> 'org'`],
      [
        "team in (select m.team from member m where m.user_id = current_user_id())",
        "team in (select m.team from member m where m.user_id = current_user_id() and m.active)",
      ],
    ];
    for (const [compiled, real] of wrong) {
      await world.policy("job", compiled);
      const rule = await world.compile("job");
      if ("refused" in rule) throw new Error(rule.refused);
      await world.policy("job", real);
      const result = await checkRule(rule, await world.ports("job"), { seed: 5 });
      expect(result, compiled).toMatchObject({ equal: false });
    }
  });
});
