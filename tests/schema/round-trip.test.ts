import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { FEATURES, id, TYPES } from "./documents.ts";
import { expectNothingToDo, expectStable, schemaApp } from "./schema-app.ts";

let server: Server;
let owner: Api;
beforeAll(async () => {
  server = await startServer();
  owner = apiAs(server.apiUrl, server.apiKey);
});
afterAll(() => discard(server));

describe("what the server shows can be applied again and changes nothing", () => {
  it("for every type, however it was written", async () => {
    const columns = Object.fromEntries(TYPES.map(([written], i) => [`c${i}`, { type: written }]));
    const [app, empty] = await Promise.all([schemaApp(owner), schemaApp(owner)]);
    const shown = await expectStable(app, empty, { tables: { every_type: { columns } } });
    const types = Object.values(shown.tables.every_type.columns).map((column: any) => column.type);
    expect(types).toEqual(TYPES.map(([, canonical]) => canonical));
    // The other spelling of each type is the same column.
    const canonical = Object.fromEntries(TYPES.map(([, name], i) => [`c${i}`, { type: name }]));
    expectNothingToDo(await app.apply({ tables: { every_type: { columns: canonical } } }));
  });

  it.concurrent.each(Object.entries(FEATURES))("for %s", async (_name, document) => {
    const [app, empty] = await Promise.all([schemaApp(owner), schemaApp(owner)]);
    await expectStable(app, empty, document);
  });

  it("for all of it at once, also after row-level security and realtime came to it", async () => {
    const [app, empty] = await Promise.all([schemaApp(owner), schemaApp(owner)]);
    const { "checks on a column and on a table": one, comments: other } = FEATURES;
    const document = { tables: { checked: one!.tables.t, noted: other!.tables.t } };
    document.tables.noted.columns.owner_id = { type: "text" };
    await expectStable(app, empty, document);
    must(await owner("POST", `/v1/${app.id}/rls`, { table_name: "noted", user_column: "owner_id" }));
    must(await owner("POST", `/v1/${app.id}/realtime/configure`, { tables: ["noted"] }));
    expectNothingToDo(await app.apply(await app.fetch()));
    expectNothingToDo(await app.apply(document));
  });
});

describe("what a document says takes effect", () => {
  it("a column's readers are who can read it", async () => {
    const app = await schemaApp(owner);
    must(await app.apply(FEATURES["columns that only some may read"]));
    must(await app.insert("t", { shown: "s", users_only: "u", hidden: "h" }));
    const anon = { "x-butterbase-as-role": "anon" };
    const user = {
      "x-butterbase-as-role": "user",
      "x-butterbase-as-user": "00000000-0000-4000-8000-000000000001",
    };
    const seen = async (headers: Record<string, string>) =>
      Object.keys(must(await owner("GET", `/v1/${app.id}/t`, undefined, headers))[0]).filter(
        (name) => name !== "id",
      );
    expect(await seen({})).toEqual(["shown", "users_only", "hidden"]);
    expect(await seen(user)).toEqual(["shown", "users_only"]);
    expect(await seen(anon)).toEqual(["shown"]);
    for (const query of ["select=hidden", "hidden=eq.h", "order=hidden.asc", "hidden=like.h*"]) {
      const answer = await owner("GET", `/v1/${app.id}/t?${query}`, undefined, anon);
      expect([query, answer.status >= 400]).toEqual([query, true]);
      expect(JSON.stringify(answer.body)).not.toContain('"h"');
    }
    must(await app.apply({ tables: { t: { columns: { hidden: { type: "text" } } } } }));
    expect(await seen(anon)).toEqual(["shown", "hidden"]);
  });

  it("keys, uniques, checks, foreign keys and enums hold for rows", async () => {
    const app = await schemaApp(owner);
    const { "uniques of one column and of several": uniques, "checks on a column and on a table": checks } =
      FEATURES;
    must(
      await app.apply({
        tables: {
          u: uniques!.tables.t,
          c: checks!.tables.t,
          f: { columns: { id, u: { type: "uuid", references: "u.id", nullable: false } } },
          e: { columns: { id, mood: { type: "mood" } } },
        },
        enums: { mood: ["ok"] },
      }),
    );
    must(await app.insert("u", { email: "a", a: 1, b: 1 }));
    const refused = async (table: string, row: object) => (await app.insert(table, row)).body?.error?.code;
    expect(await refused("u", { email: "a" })).toBe("VALIDATION_UNIQUE_CONSTRAINT_VIOLATION");
    expect(await refused("u", { email: "b", a: 1, b: 1 })).toBe("VALIDATION_UNIQUE_CONSTRAINT_VIOLATION");
    expect(await refused("c", { price: -1 })).toBe("VALIDATION_CHECK_CONSTRAINT_VIOLATION");
    expect(await refused("c", { price: 1, since: "2026-02-02", until: "2026-01-01" })).toBe(
      "VALIDATION_CHECK_CONSTRAINT_VIOLATION",
    );
    expect(await refused("f", {})).toBe("VALIDATION_NOT_NULL_VIOLATION");
    expect(await refused("f", { u: "00000000-0000-4000-8000-000000000001" })).toBe(
      "VALIDATION_FOREIGN_KEY_VIOLATION",
    );
    expect(await refused("e", { mood: "bad" })).toMatch(/^VALIDATION_INVALID/);
  });
});
