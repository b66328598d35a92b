import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { App } from "../../kernel/operation.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import type { Identity } from "./database.ts";

let test: TestPlatform;
let app: App;
let other: App;
const user = (sub: string): Identity => ({ role: "user", claims: { sub, team: "red" } });
const anon: Identity = { role: "anon", claims: null };
const service: Identity = { role: "service", claims: null };

beforeAll(async () => {
  test = await testPlatform();
  app = await test.createApp();
  other = await test.createApp();
  for (const each of [app, other]) {
    await test.platform.database.ownerTransaction(each.id, async (tx) => {
      await tx.query(`create table notes (id int primary key, owner text);
        alter table notes enable row level security;
        create policy own on notes to butterbase_user using (owner = current_user_id());
        create policy all_of_it on notes to butterbase_service using (true) with check (true);
        insert into notes select n, case when n % 2 = 0 then 'ada' else 'ben' end from generate_series(1, 10) n`);
    });
  }
});
afterAll(() => test.stop());

const run = (who: Identity, text: string, values: (string | null)[] = []) =>
  test.platform.database.asCaller(app.id, who, { text, values });
const refused = { code: "42501" };

describe("asCaller", () => {
  it("runs as the role and claims it was given, and only then", async () => {
    const callers = [user("ada"), user("carol"), anon, service];
    const answers = await Promise.all(callers.map((who) => run(who, "select count(*) from notes")));
    expect(answers.map((answer) => answer.rows[0]![0])).toEqual(["5", "0", "0", "10"]);
    const settings =
      "select current_setting('role'), current_setting('request.jwt.claims', true), current_user_id()";
    expect((await run(anon, settings)).rows[0]).toEqual([`${app.id}_anon`, "", null]);
    const claims = "select current_setting('request.jwt.claims')::json ->> 'team', current_user_id()";
    expect((await run(user("ada"), claims)).rows[0]).toEqual(["red", "ada"]);
  });

  it("leaves nothing of a caller behind, after success and after every kind of error", async () => {
    const probe = "select current_setting('role') as role, current_user_id()";
    for (const text of [
      "select 1",
      "select 1/0",
      "select from nowhere",
      "insert into notes values (1, 'x')",
      "no sql",
    ]) {
      await run(user("ada"), text).catch(() => {});
      await run(user("ada"), text).catch(() => {});
      expect((await run(anon, probe)).rows[0]).toEqual([`${app.id}_anon`, null]);
    }
  });

  it("prepares again after a failure and counts what was changed", async () => {
    const text = "update notes set id = $1::int where id = 1";
    await expect(run(service, text, ["2"])).rejects.toMatchObject({ code: "23505" });
    expect(await run(service, text, ["101"])).toMatchObject({ rowCount: 1, command: "UPDATE" });
  });

  it("survives more statements than a connection keeps prepared", async () => {
    for (let n = 0; n < 300; n++) expect((await run(anon, `select ${n}`)).rows[0]).toEqual([String(n)]);
  });

  it("leaves the server no statement that nobody will use again", async () => {
    const held = async () => {
      const text = "select count(*), coalesce(sum(length(statement)), 0) from pg_prepared_statements";
      const [count, chars] = (await run(anon, text)).rows[0]!;
      return { count: Number(count), chars: Number(chars) };
    };
    await held();
    const { count } = await held();
    for (let n = 0; n < 50; n++) {
      await expect(run(anon, "select $1::int", ["not a number"])).rejects.toMatchObject({ code: "22P02" });
      await expect(run(anon, `select nothing_${n}`)).rejects.toMatchObject({ code: "42703" });
    }
    expect((await held()).count).toBe(count);
    for (let n = 0; n < 50; n++) await run(anon, `select '${"x".repeat(20_000)}${n}'`);
    await run(anon, "select 1");
    expect((await held()).chars).toBeLessThan(300_000);
  });

  it("refuses stacked statements, other apps and Ambit's own tables", async () => {
    await expect(run(anon, "select 1; select 2")).rejects.toMatchObject({ code: "42601" });
    await expect(run(service, `select * from ${other.id}.notes`)).rejects.toMatchObject(refused);
    for (const role of [`${other.id}_owner`, `${other.id}_service`, "postgres", "butterbase_service"]) {
      await expect(run(service, `select set_config('role', '${role}', true)`)).rejects.toMatchObject(refused);
    }
    await expect(run(anon, "select * from ambit.api_keys")).rejects.toMatchObject(refused);
    await expect(run(anon, "create temporary table notes (id int)")).rejects.toMatchObject(refused);
    await expect(
      run(anon, "select pg_logical_emit_message(true, 'ambit.change', '{}')"),
    ).rejects.toMatchObject(refused);
  });
});

describe("ownerTransaction", () => {
  it("rolls back as a whole", async () => {
    const { database } = test.platform;
    await expect(
      database.ownerTransaction(app.id, async (tx) => {
        await tx.query("create table half (id int)");
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    const [row] = await database.query<{ there: string | null }>("select to_regclass($1) as there", [
      `${app.id}.half`,
    ]);
    expect(row?.there).toBeNull();
  });
});

describe("query", () => {
  it("goes on when a table it has a plan for changes its shape", async () => {
    const { database } = test.platform;
    await database.query("create table ambit.shape (a int)");
    await database.query("insert into ambit.shape values (1)");
    const select = () => database.query("select * from ambit.shape where a = $1", [1]);
    for (let n = 0; n < 7; n++) expect(await select()).toEqual([{ a: 1 }]);
    await database.query("alter table ambit.shape add b int");
    expect(await select()).toEqual([{ a: 1, b: null }]);
  });
});
