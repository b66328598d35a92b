import type { TestPlatform } from "../../../testing/platform.ts";
import { renderDocument } from "../render.ts";
import type { SchemaService } from "../service.ts";

/** One app of a test, and short ways to ask things of its schema. */
export async function schemaApp(server: TestPlatform, schema: SchemaService) {
  const app = await server.createApp();
  const { database } = server.platform;
  const apply = (document: unknown, options: { dryRun?: boolean; name?: string } = {}) =>
    schema.apply({
      appId: app.id,
      document,
      name: options.name ?? "change",
      dryRun: options.dryRun ?? false,
      signal: AbortSignal.timeout(20_000),
    });
  return {
    id: app.id,
    apply,
    /** The statements that an apply ran. */
    statements: async (document: unknown) => (await apply(document)).statements.map(({ sql }) => sql),
    document: async () => renderDocument(await schema.read(app.id)),
    table: async (name: string) => (await schema.tables(app.id)).get(name),
    /** Runs SQL as the owner of the app's tables. */
    sql: (text: string, values: readonly unknown[] = []) =>
      database.ownerTransaction(app.id, (tx) => tx.query(text, values)),
    /** Runs SQL as a caller of the app; rows as text. */
    as: async (
      role: "anon" | "user" | "service",
      text: string,
      claims: Record<string, unknown> | null = null,
    ) => (await database.asCaller(app.id, { role, claims }, { text, values: [], prepare: false })).rows,
  };
}

export type SchemaApp = Awaited<ReturnType<typeof schemaApp>>;
