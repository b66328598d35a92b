import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AmbitError } from "../../kernel/errors.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { createExplainer, type Explainer, type Onlooker } from "./explain.ts";
import { type ExplainFrame, explainFrameFor, explainFrameSchema } from "./explain-frame.ts";
import { explainOperation } from "./explain-operation.ts";
import type { Viewer } from "./subscriptions.ts";

let world: TestPlatform;
let appId: string;
let explainer: Explainer;
beforeAll(async () => {
  world = await testPlatform();
  appId = (await world.createApp()).id;
  explainer = createExplainer(world.platform);
  await define(
    "create table members (team int, user_id text, primary key (team, user_id))",
    "insert into members values (1, 'ada'), (2, 'bob')",
    `create table "No""tes" (
       team int, n int, owner text, archived boolean not null default false, secret text, kind text, primary key (team, n))`,
    `insert into "No""tes" values (1, 1, 'bob', false, 's', null), (1, 2, 'bob', true, 's', 'x'), (2, 1, 'ada', false, 's', '7')`,
    `alter table "No""tes" enable row level security`,
    `create policy team on "No""tes" for select to butterbase_user
       using (exists (select from members m where m.team = "No""tes".team and m.user_id = current_user_id()))`,
    `create policy own on "No""tes" to butterbase_user using (owner = current_user_id())`,
    `create policy fresh on "No""tes" as restrictive for select using (not archived)`,
    `create policy writers on "No""tes" for insert to butterbase_user with check (true)`,
    `create policy guests on "No""tes" for select to butterbase_anon using (kind = 'open')`,
    `create policy service on "No""tes" to butterbase_service using (true)`,
    `revoke select on "No""tes" from "${appId}_user", "${appId}_anon"`,
    `grant select (team, n, owner, archived, kind) on "No""tes" to "${appId}_user", "${appId}_anon"`,
    "create table open_table (id int primary key, t text)",
    "insert into open_table values (1, 'a')",
    "create table shut (id int primary key)",
    "insert into shut values (1)",
    `revoke select on shut from "${appId}_user", "${appId}_anon"`,
    "create table bare (id int primary key)",
    "alter table bare enable row level security",
    "insert into bare values (1)",
    "create table odd (id int primary key, owner text, claim text)",
    "alter table odd enable row level security",
    "create policy numbers on odd using (owner::int = 7)",
    "create policy whole on odd using (to_jsonb(odd.*) ->> 'owner' = 'me')",
    `create policy claims on odd using (claim = current_setting('request.jwt.claims', true)::json ->> 'plan')`,
    `create policy a_sneaky on odd using (set_config('role', '${appId}_service', true) = 'x'
       or set_config('request.jwt.claims', '{"plan":"none"}', true) = 'x')`,
    "create table slow (id int primary key)",
    "insert into slow values (1)",
    "alter table slow enable row level security",
    "create policy sleeps on slow using ((select true from pg_sleep(30)))",
    "create table nokey (id int)",
  );
});
afterAll(() => world?.stop());

const define = (...statements: string[]) =>
  world.platform.database.ownerTransaction(appId, async (tx) => {
    for (const statement of statements) await tx.query(statement);
  });

const ada: Onlooker = { role: "user", userId: "ada" };
const bob: Onlooker = { role: "user", userId: "bob" };
const anon: Onlooker = { role: "anon" };
const notes = (team: number, n: number, as: Onlooker) =>
  explainer.explain(appId, { table: 'No"tes', key: { team, n }, as });
const odd = (record: Record<string, unknown>, as: Onlooker = ada) =>
  explainer.explain(appId, { table: "odd", record, as });
const refusal = (asked: Promise<unknown>): Promise<AmbitError> =>
  asked.then(
    () => expect.unreachable(),
    (error: AmbitError) => error,
  );
const resultsOf = ({
  policies,
}: {
  policies: readonly { name: string; result?: unknown; error?: string }[];
}) =>
  Object.fromEntries(
    policies.flatMap(({ name, result, error }) =>
      result === undefined && error === undefined ? [] : [[name, error ?? result]],
    ),
  );

describe("explain", () => {
  it("says what every policy said, what does not apply and why, and which columns are hidden", async () => {
    const told = await notes(1, 1, ada);
    expect(told).toMatchObject({
      table: 'No"tes',
      as: { role: "user", user_id: "ada" },
      visible: true,
      reason: "Shown by team.",
      row_found: true,
      rls_enabled: true,
      hidden_columns: ["secret"],
    });
    const of = (name: string) => told.policies.find((policy) => policy.name === name);
    expect(told.policies.map(({ name }) => name)).toEqual([
      "fresh",
      "guests",
      "own",
      "service",
      "team",
      "writers",
    ]);
    expect(of("team")).toMatchObject({
      type: "permissive",
      command: "SELECT",
      roles: ["butterbase_user"],
      applies: true,
      result: true,
    });
    expect(of("team")!.expression).toContain("members m");
    expect(of("own")).toMatchObject({ command: "ALL", applies: true, result: false });
    expect(of("fresh")).toMatchObject({
      type: "restrictive",
      roles: ["public"],
      applies: true,
      result: true,
    });
    expect(of("guests")).toMatchObject({ applies: false, why_not: "role" });
    expect(of("service")).toMatchObject({ applies: false, why_not: "role" });
    expect(of("writers")).toMatchObject({ applies: false, why_not: "command", expression: null });
  });

  it("agrees with a SELECT as the same person, for every row and person", async () => {
    for (const as of [ada, bob, anon, { role: "user", userId: "eve" } as const]) {
      const claims = as.userId === undefined ? null : { sub: as.userId };
      const { rows } = await world.platform.database.asCaller(
        appId,
        { role: as.role as "user", claims },
        { text: 'select team, n from "No""tes"', values: [] },
      );
      const seen = new Set(rows.map(([team, n]) => `${team} ${n}`));
      for (const [team, n] of [
        [1, 1],
        [1, 2],
        [2, 1],
      ] as const) {
        expect((await notes(team, n, as)).visible, `${team} ${n} ${JSON.stringify(as)}`).toBe(
          seen.has(`${team} ${n}`),
        );
      }
    }
  });

  it("names what hides a row", async () => {
    expect(await notes(1, 2, ada)).toMatchObject({
      visible: false,
      reason: "Hidden by the restrictive policy fresh.",
    });
    expect((await notes(2, 1, { role: "user", userId: "eve" })).reason).toBe(
      "None of the permissive policies lets it through: own, team.",
    );
    const nobody = await notes(1, 1, anon);
    expect(nobody).toMatchObject({ visible: false });
    expect(resultsOf(nobody)).toEqual({ fresh: true, guests: null });
    expect(await notes(9, 9, ada)).toMatchObject({
      visible: false,
      row_found: false,
      reason: 'No"tes has no row with this key.',
    });
    expect(resultsOf(await notes(9, 9, ada))).toEqual({});
    expect(await explainer.explain(appId, { table: "bare", key: 1, as: ada })).toMatchObject({
      visible: false,
      policies: [],
      reason: "No permissive policy for reading applies to the role user: nothing is visible to it.",
    });
    expect(await explainer.explain(appId, { table: "shut", key: "1", as: ada })).toMatchObject({
      visible: false,
      hidden_columns: ["id"],
      reason: "The role user may not read any column of shut.",
    });
  });

  it("knows tables that are open and callers who see everything", async () => {
    expect(await explainer.explain(appId, { table: "open_table", key: 1, as: anon })).toMatchObject({
      visible: true,
      rls_enabled: false,
    });
    const service = await notes(1, 2, { role: "service" });
    expect(service).toMatchObject({
      visible: true,
      as: { role: "service", user_id: null },
      hidden_columns: [],
    });
    expect(service.policies.every((policy) => policy.why_not === "service")).toBe(true);
  });

  it("judges a row that is only given, whole rows and claims included", async () => {
    expect(resultsOf(await odd({ owner: "7", claim: "gold" }, { ...ada, claims: { plan: "gold" } }))).toEqual(
      {
        numbers: true,
        whole: false,
        claims: true,
        a_sneaky: false,
      },
    );
    expect(await odd({ owner: "7" })).toMatchObject({ visible: true });
    expect(resultsOf(await odd({ id: 1 }))).toEqual({
      numbers: null,
      whole: null,
      claims: null,
      a_sneaky: false,
    });
  });

  it("says which policy fails, and leaves what it decides open", async () => {
    const told = await odd({ owner: "me" });
    expect(told.visible).toBeNull();
    expect(told.reason).toContain("The policy numbers fails (22P02)");
    expect(resultsOf(told)).toEqual({ numbers: "22P02", whole: true, claims: null, a_sneaky: false });
    expect(told.policies.find(({ name }) => name === "numbers")!.error_message).toContain('"me"');
    const slow = await explainer.explain(appId, { table: "slow", key: 1, as: ada });
    expect(slow).toMatchObject({ visible: null });
    expect(resultsOf(slow)).toEqual({ sleeps: "57014" });
  });

  it("leaves nothing behind and can change nothing", async () => {
    await define(
      "create table traces (id int)",
      `grant insert on traces to "${appId}_user"`,
      "create function leave_trace() returns boolean language plpgsql as $$ begin insert into traces values (1); return true; end $$",
      "create table traps (id int primary key)",
      "alter table traps enable row level security",
      "create policy p on traps using (leave_trace())",
      "insert into traps values (1)",
    );
    const told = await explainer.explain(appId, { table: "traps", key: 1, as: ada });
    expect(resultsOf(told)).toEqual({ p: "25006" });
    await world.platform.database.ownerTransaction(appId, async (tx) => {
      expect(await tx.query("select * from traces")).toEqual([]);
      expect(
        await tx.query(
          "select current_setting('request.jwt.claims', true) as c, current_setting('transaction_read_only') as r",
        ),
      ).toEqual([{ c: expect.toBeOneOf(["", null]), r: "off" }]);
    });
  });

  it.each([
    [{ table: "nope", key: 1 }, "VALIDATION_TABLE_NOT_FOUND"],
    [{ table: "odd" }, "VALIDATION_INVALID_SCHEMA"],
    [{ table: "odd", key: 1, record: {} }, "VALIDATION_INVALID_SCHEMA"],
    [{ table: "odd", key: "x'; drop table odd; --" }, "VALIDATION_INVALID_SCHEMA"],
    [{ table: "odd", key: { owner: "me" } }, "VALIDATION_INVALID_SCHEMA"],
    [{ table: "odd", key: null }, "VALIDATION_INVALID_SCHEMA"],
    [{ table: 'No"tes', key: 1 }, "VALIDATION_INVALID_SCHEMA"],
    [{ table: 'No"tes', key: { team: 1 } }, "VALIDATION_INVALID_SCHEMA"],
    [{ table: "nokey", key: 1 }, "VALIDATION_INVALID_SCHEMA"],
    [{ table: "odd", record: { nope: 1 } }, "VALIDATION_INVALID_SCHEMA"],
    [{ table: "odd", record: { id: "x" } }, "VALIDATION_INVALID_SCHEMA"],
    [{ table: "odd", record: { owner: "\0" } }, "VALIDATION_INVALID_SCHEMA"],
    [{ table: "odd", key: 1, as: { role: "user" } as const }, "VALIDATION_INVALID_SCHEMA"],
    [{ table: "odd", key: 1, as: { role: "anon", userId: "x" } as const }, "VALIDATION_INVALID_SCHEMA"],
  ])("refuses %j", async (question, code) => {
    expect((await refusal(explainer.explain(appId, { as: ada, ...question }))).code).toBe(code);
  });

  it("turns away what would wait too long", async () => {
    const asked = Array.from({ length: 30 }, () =>
      explainer.explain(appId, { table: "odd", key: 1, as: ada }),
    );
    const codes = (await Promise.allSettled(asked)).map((one) =>
      one.status === "rejected" ? one.reason.code : "",
    );
    expect(codes.filter((code) => code === "QUOTA_RATE_LIMIT")).toHaveLength(12);
    const { values } = await world.platform.metrics.limitsHit.get();
    expect(values.find(({ labels }) => labels.limit === "explain")?.value).toBe(12);
  });
});

describe("the frame", () => {
  const viewer = (role: Viewer["role"], sub = ""): Viewer => ({
    role,
    userId: sub === "" ? null : sub,
    claims: sub === "" ? "" : JSON.stringify({ sub }),
    subject: sub,
  });
  const frame = (who: Viewer, fields: Omit<ExplainFrame, "type">) =>
    explainFrameFor(explainer, appId, who, explainFrameSchema.parse({ type: "explain", ...fields }));

  it("tells end users about themselves and values they give, without expressions or others' policies", async () => {
    const told = await frame(viewer("user", "ada"), {
      table: 'No"tes',
      record: { team: 1, archived: true },
      id: "q",
    });
    expect(told).toEqual({
      type: "explained",
      id: "q",
      table: 'No"tes',
      visible: false,
      reason: "Hidden by the restrictive policy fresh.",
      rls_enabled: true,
      policies: [
        { name: "fresh", type: "restrictive", result: false },
        { name: "own", type: "permissive", result: null },
        { name: "team", type: "permissive", result: true },
      ],
    });
    const failed = await frame(viewer("anon"), { table: "odd", record: { owner: "me" } });
    expect(failed.visible).toBeNull();
    expect(JSON.stringify(failed)).not.toContain('\\"me\\"');
  });

  it("refuses them everybody else, every lookup, and what they may not read in the words for what is not there", async () => {
    const who = viewer("user", "ada");
    for (const fields of [
      { table: "odd", key: 1 },
      { table: "odd", record: {}, key: 1 },
      { table: "odd", record: {}, as: { role: "user" as const, user_id: "ada" } },
      { table: "odd" },
    ]) {
      expect((await refusal(frame(who, fields))).code).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    }
    const words = async (table: string, name: string) =>
      (await refusal(frame(who, { table, record: { [name]: "s" } }))).message.replaceAll(name, "x");
    expect(await words('No"tes', "secret")).toBe(await words('No"tes', "absent"));
    expect(await words("shut", "id")).toBe(await words("nowhere", "id"));
  });

  it("lets service connections look as anybody, and by key", async () => {
    const told = await frame(viewer("service"), {
      table: 'No"tes',
      key: { team: 1, n: 1 },
      as: { role: "user", user_id: "ada" },
    });
    expect(told).toMatchObject({ type: "explained", visible: true, hidden_columns: ["secret"] });
    expect(await frame(viewer("service"), { table: "odd", record: {} })).toMatchObject({
      visible: true,
      as: { role: "service" },
    });
  });
});

it("is an operation for whoever develops the app", async () => {
  const operation = explainOperation(explainer, async (_app, table) => ({
    realtime: { table, enabled: false },
  }));
  const app = (await world.apps.find(appId))!;
  const input = operation.input.parse({
    app_id: appId,
    table: 'No"tes',
    key: { team: 1, n: 2 },
    as: { role: "user", user_id: "bob" },
  });
  const output = operation.output.parse(await operation.run({ app } as never, input));
  expect(output).toMatchObject({ visible: false, realtime: { enabled: false }, as: { user_id: "bob" } });
  expect(operation).toMatchObject({
    right: "view",
    risk: "read",
    mcp: { tool: "manage_realtime", action: "explain" },
  });
});
