import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, apiAs, type Person, signUp } from "../support/api.ts";
import { applySchema, must, newApp } from "../support/app.ts";
import { connectRealtime, type RealtimeClient } from "../support/realtime.ts";
import { discard, type Server, startServer } from "../support/server.ts";

let server: Server;
let owner: Api;
let appId: string;
let people: Person[];

const member = "exists (select 1 from members m where m.team = docs.team and m.user_id = current_user_id())";

/** Ways to protect `docs`, from none to what real apps have. `ada` and `ben` are end users. */
const POLICIES: Record<string, object[]> = {
  "own rows": [{ policy_name: "own", role: "user", using_expression: "owner_id = current_user_id()" }],
  "own rows, and public ones for all": [
    { policy_name: "own", role: "user", using_expression: "owner_id = current_user_id()" },
    { policy_name: "open", command: "SELECT", using_expression: "public" },
  ],
  "own rows, but never archived ones": [
    { policy_name: "own", role: "user", using_expression: "owner_id = current_user_id()" },
    { policy_name: "kept", role: "user", restrictive: true, using_expression: "not archived" },
  ],
  "rows of one's team": [{ policy_name: "team", role: "user", command: "SELECT", using_expression: member }],
  "a claim of the token": [
    {
      policy_name: "mail",
      role: "user",
      using_expression: "title like (current_setting('request.jwt.claims', true)::json ->> 'email') || '%'",
    },
  ],
  "no policy at all": [],
};

beforeAll(async () => {
  server = await startServer();
  owner = apiAs(server.apiUrl, server.apiKey);
  appId = await newApp(owner);
  people = [await signUp(server.apiUrl, appId, "ada"), await signUp(server.apiUrl, appId, "ben")];
});
afterAll(() => discard(server));

/** A fresh `docs` table under the given policies, with realtime on. */
async function protect(policies: object[]): Promise<void> {
  await owner("DELETE", `/v1/${appId}/realtime/docs`);
  await applySchema(owner, appId, {}, { _drop: (await exists("docs")) ? ["docs", "members"] : [] });
  await applySchema(owner, appId, {
    members: {
      columns: { team: { type: "int", nullable: false }, user_id: { type: "text", nullable: false } },
      primaryKey: ["team", "user_id"],
    },
    docs: {
      columns: {
        id: { type: "int", primaryKey: true },
        owner_id: { type: "text" },
        team: { type: "int" },
        public: { type: "boolean", nullable: false, default: "false" },
        archived: { type: "boolean", nullable: false, default: "false" },
        title: { type: "text", nullable: false },
        secret: { type: "text", readableBy: ["service"] },
      },
    },
  });
  must(
    await owner("POST", `/v1/${appId}/members`, [
      { team: 1, user_id: people[0]!.id },
      { team: 2, user_id: people[1]!.id },
      { team: 3, user_id: people[0]!.id },
      { team: 3, user_id: people[1]!.id },
    ]),
  );
  must(await owner("POST", `/v1/${appId}/rls/enable`, { table_name: "docs" }));
  for (const policy of policies)
    must(await owner("POST", `/v1/${appId}/rls/policies`, { table_name: "docs", ...policy }));
  must(await owner("POST", `/v1/${appId}/realtime/configure`, { tables: ["docs"] }));
}

const exists = async (table: string) =>
  table in must(await owner("GET", `/v1/${appId}/schema`)).schema.tables;

/** The view a client has put together from nothing but its frames. */
function viewOf(client: RealtimeClient): Map<number, unknown> {
  const rows = new Map<number, unknown>();
  for (const { op, record, old_record } of client.changes("docs")) {
    if (op === "DELETE") {
      expect(rows.has(old_record.id), "a delete of a row that was never shown").toBe(true);
      rows.delete(old_record.id);
    } else {
      expect(rows.has(record.id), `${op} of a row that ${op === "INSERT" ? "is" : "is not"} in view`).toBe(
        op === "UPDATE",
      );
      rows.set(record.id, record);
    }
  }
  return rows;
}

const ids = fc.integer({ min: 1, max: 6 });
const row = () =>
  fc.record(
    {
      owner_id: fc.constantFrom(...people.map((person) => person.id), null),
      team: fc.constantFrom(1, 2, 3, null),
      public: fc.boolean(),
      archived: fc.boolean(),
      title: fc.constantFrom(...people.map((person) => `${person.email} wrote`), "other"),
      secret: fc.constantFrom("hidden", null),
    },
    { requiredKeys: ["title"] },
  );
const step = () =>
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("insert" as const), id: ids, row: row() }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("update" as const), id: ids, row: row() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("delete" as const), id: ids, row: row() }) },
  );

describe("the data API and realtime show the same rows to the same people", () => {
  it.each(Object.entries(POLICIES))("%s", { timeout: 60_000 }, async (_name, policies) => {
    await protect(policies);
    const tokens = [...people.map((person) => person.token), null, server.apiKey];
    const clients = await Promise.all(tokens.map((token) => connectRealtime(server.apiUrl, appId, token)));
    for (const client of clients) await client.subscribe("docs");
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step(), { minLength: 5, maxLength: 25 }), async (steps) => {
        for (const { kind, id, row: values } of steps) {
          if (kind === "insert") await owner("POST", `/v1/${appId}/docs`, { id, ...values });
          if (kind === "update") await owner("PATCH", `/v1/${appId}/docs/${id}`, values);
          if (kind === "delete") await owner("DELETE", `/v1/${appId}/docs/${id}`);
        }
        // A last row that everyone's stream must have passed once the key's client has it, then nobody's.
        const last = 1_000 + round++;
        must(await owner("POST", `/v1/${appId}/docs`, { id: last, title: "last" }));
        must(await owner("DELETE", `/v1/${appId}/docs/${last}`));
        await clients.at(-1)!.waitFor((frame) => frame.op === "DELETE" && frame.old_record.id === last);
        await new Promise((resolve) => setTimeout(resolve, 150));
        for (const [n, token] of tokens.entries()) {
          const selected = must(await apiAs(server.apiUrl, token)("GET", `/v1/${appId}/docs`));
          expect(Object.fromEntries(viewOf(clients[n]!))).toEqual(
            Object.fromEntries(selected.map((each: any) => [each.id, each])),
          );
        }
        const told = JSON.stringify(clients.slice(0, -1).flatMap((client) => client.frames));
        expect(told).not.toContain("hidden");
        expect(clients.flatMap((client) => client.frames).filter((frame) => frame.type === "resync")).toEqual(
          [],
        );
      }),
      { numRuns: 4 },
    );
    for (const client of clients) await client.close();
  });
});
