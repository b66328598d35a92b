import type { TestPlatform } from "../../../testing/platform.ts";
import type { SchemaService } from "../../schema/service.ts";
import type { Command } from "../policy.ts";
import type { RlsService } from "../service.ts";

/** Two end users who do not know each other. */
export const ALICE = "11111111-1111-4111-8111-111111111111";
export const BOB = "22222222-2222-4222-8222-222222222222";

/** One app of a test with a table `notes`, and short ways to be its callers. */
export async function securedApp(server: TestPlatform, schema: SchemaService, rls: RlsService) {
  const app = await server.createApp();
  const { database } = server.platform;
  const apply = (document: unknown) =>
    schema.apply({
      appId: app.id,
      document,
      name: "test",
      dryRun: false,
      signal: AbortSignal.timeout(20_000),
    });
  await apply({
    tables: {
      notes: {
        columns: {
          id: { type: "serial", primaryKey: true },
          user_id: { type: "uuid" },
          team: { type: "text" },
          open: { type: "boolean", default: false },
          body: { type: "text" },
        },
        _seed: [
          { user_id: ALICE, team: "a", body: "of alice" },
          { user_id: BOB, team: "b", body: "of bob", open: true },
        ],
      },
    },
  });
  const as = async (
    role: "anon" | "user" | "service",
    user: string | null,
    text: string,
  ): Promise<(string | null)[]> => {
    const claims = user === null ? null : { sub: user };
    const { rows } = await database.asCaller(app.id, { role, claims }, { text, values: [], prepare: false });
    return rows.map(([first]) => first ?? null);
  };
  return {
    id: app.id,
    apply,
    user: (id: string, text: string) => as("user", id, text),
    anon: (text: string) => as("anon", null, text),
    service: (text: string) => as("service", null, text),
    owner: (text: string) => database.ownerTransaction(app.id, (tx) => tx.query(text)),
    policy: (
      name: string,
      fields: {
        command?: Command;
        role?: "anon" | "user";
        using?: string | null;
        check?: string | null;
        restrictive?: boolean;
        userColumn?: string;
        table?: string;
      } = {},
    ) =>
      rls.createPolicy(app.id, {
        table: fields.table ?? "notes",
        name,
        command: fields.command ?? "ALL",
        role: fields.role,
        restrictive: fields.restrictive ?? false,
        using: fields.using ?? null,
        check: fields.check ?? null,
        userColumn: fields.userColumn,
      }),
    names: async () => (await rls.list(app.id)).policies.map(({ policyname }) => policyname),
  };
}
