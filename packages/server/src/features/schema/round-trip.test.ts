import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { App } from "../../kernel/operation.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { renderDocument } from "./render.ts";
import { createSchemaService, type SchemaService } from "./service.ts";
import { authorised, document } from "./testing/documents.ts";
import { dumpSchema } from "./testing/dump.ts";

/** Random documents per property; more with AMBIT_TEST_RUNS. */
const RUNS = Number(process.env.AMBIT_TEST_RUNS ?? 10);

let server: TestPlatform;
let schema: SchemaService;
beforeAll(async () => {
  server = await testPlatform();
  schema = createSchemaService(server.platform);
});
afterAll(() => server.stop());

const apply = async (app: App, value: unknown) => {
  const order = {
    appId: app.id,
    document: value,
    name: "change",
    dryRun: false,
    signal: AbortSignal.timeout(20_000),
  };
  return (await schema.apply(order)).statements.map(({ sql }) => sql);
};
const shown = async (app: App) => renderDocument(await schema.read(app.id));
const clear = async (app: App) => {
  const { tables, enums } = await schema.read(app.id);
  await apply(app, { _drop: [...tables.keys()], _dropEnums: [...enums.keys()] });
};

test("a fetched document changes nothing, and an edited one leads where a fresh start would", async () => {
  const [used, fresh] = [await server.createApp(), await server.createApp()];
  await fc.assert(
    fc.asyncProperty(document, document, async (first, second) => {
      await clear(used);
      await clear(fresh);
      await apply(used, first);
      expect(await apply(used, await shown(used)), "get → apply").toEqual([]);
      expect(await apply(used, first), "the same document again").toEqual([]);
      await apply(used, authorised(first, second));
      await apply(fresh, second);
      expect(await dumpSchema(server.platform.database, used.id)).toBe(
        await dumpSchema(server.platform.database, fresh.id),
      );
      expect(await apply(used, await shown(fresh)), "what another app has").toEqual([]);
    }),
    { numRuns: RUNS },
  );
});

test("a fetched document makes the same schema in an empty app", async () => {
  const [used, fresh] = [await server.createApp(), await server.createApp()];
  await fc.assert(
    fc.asyncProperty(document, async (first) => {
      await clear(used);
      await clear(fresh);
      await apply(used, first);
      await apply(fresh, await shown(used));
      expect(await dumpSchema(server.platform.database, fresh.id)).toBe(
        await dumpSchema(server.platform.database, used.id),
      );
    }),
    { numRuns: Math.ceil(RUNS / 2) },
  );
});
