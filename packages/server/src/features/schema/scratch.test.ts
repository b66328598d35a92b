import { afterAll, beforeAll, expect, test } from "vitest";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { createSchemaService } from "./service.ts";
import { renderDocument } from "./render.ts";
let t: TestPlatform;
beforeAll(async () => { t = await testPlatform(); });
afterAll(() => t.stop());
test("x", async () => {
  const app = await t.createApp();
  const s = createSchemaService(t.platform);
  const apply = (document: unknown, dryRun = false) => s.apply({ appId: app.id, document, name: "x", dryRun, signal: AbortSignal.timeout(10000) });
  const doc = { enums: { mood: ["ok", "bad"] }, tables: {
    users: { columns: { id: { type: "serial", primaryKey: true }, email: { type: "varchar(200)", unique: true, nullable: false, check: "email like '%@%'" }, mood: { type: "mood", default: "'ok'" }, secret: { type: "text", readableBy: ["user"] }, n: { type: "int4", default: 0 }, m: {type:"decimal(10)", default: "-1"}, big: { type: "bigint", identity: "by_default" }, g: { type: "text", generated: "lower(email)" } }, indexes: { by_mail: { columns: [{ expression: "lower(email)" }], unique: true, where: "mood='ok'" }, trg: { columns: ["secret"], method: "gin", opclass: "gin_trgm_ops" }, d: { columns: [{ column: "n", order: "desc" }, "id"] } }, checks: { pos: "n>=0 and mood <> 'bad'" }, comment: "people" , _seed: [{ email: "a@b" }, { email: "c@d", n: 4 }] },
    posts: { columns: { a: { type: "uuid", default: "gen_random_uuid()" }, b: { type: "timestamptz", default: "NOW()" }, user_id: { type: "int", references: { table: "users", column: "id", onDelete: "cascade" } }, tags: { type: "text[]", default: "'{}'" }, j: { type: "jsonb", default: "'{}'::jsonb" } }, primaryKey: ["a", "b"], uniques: { one: { columns: ["user_id", "b"] } } },
  } };
  try {
  const r = await apply(doc);
  console.log(r.statements.map((x) => x.sql).join("\n"));
  const got = renderDocument(await s.read(app.id));
  console.log(JSON.stringify(got, null, 1));
  const r2 = await apply(got);
  console.log(r2.statements);
  const r3 = await apply(doc);
  console.log(r3.statements);
  console.log(JSON.stringify([...(await s.tables(app.id)).values()]));
  console.log(await s.migrations(app.id));
  expect(r2.statements).toEqual([]);
  expect(r3.statements).toEqual([]);
  } catch (e) { console.log(e); throw e; }
});
