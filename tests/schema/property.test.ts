import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Api, apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { documents, reachable } from "./random-documents.ts";
import {
  codeOf,
  type Document,
  expectNothingToDo,
  expectStable,
  type SchemaApp,
  schemaApp,
} from "./schema-app.ts";

let server: Server;
let owner: Api;
beforeAll(async () => {
  server = await startServer();
  owner = apiAs(server.apiUrl, server.apiKey);
});
afterAll(() => discard(server));

/** AMBIT_SEED replays a run, whose seed a failure prints; AMBIT_RUNS makes it longer. */
const seed = process.env.AMBIT_SEED === undefined ? {} : { seed: Number(process.env.AMBIT_SEED) };
const runs = Number(process.env.AMBIT_RUNS ?? 20);
/** For finding a smaller document that fails as well. */
const SHRINK_MS = 1_500;

async function emptied(app: SchemaApp): Promise<void> {
  const { tables, enums = {} } = await app.fetch();
  must(await app.apply({ _drop: Object.keys(tables), _dropEnums: Object.keys(enums) }));
}

it(
  "any document stays put, and any other is reached from it or refused whole",
  async () => {
    const [app, copy] = await Promise.all([schemaApp(owner), schemaApp(owner)]);
    const outcomes: Record<string, number> = {};
    const property = fc.asyncProperty(
      documents,
      documents,
      fc.boolean(),
      async (first: Document, other: Document, near: boolean) => {
        const second = near ? reachable(first, other) : other;
        const shown = await expectStable(app, copy, first);
        const preview = await app.dryRun(second);
        expect(preview.status, JSON.stringify(preview.body)).toBe(200);
        expect(await app.fetch()).toEqual(shown);
        const applied = await app.apply(second);
        const outcome = applied.status === 200 ? "applied" : codeOf(applied)!;
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
        expect(preview.body.blocked).toBe(outcome === "SCHEMA_DESTRUCTIVE_CHANGE");
        if (outcome === "applied") {
          expect(applied.body.statements).toEqual(preview.body.statements);
          expectNothingToDo(await app.apply(second));
          expectNothingToDo(await app.apply(await app.fetch()));
        } else {
          expect(["SCHEMA_DESTRUCTIVE_CHANGE", "SCHEMA_MIGRATION_FAILED"]).toContain(outcome);
          expect(await app.fetch()).toEqual(shown);
        }
        await Promise.all([emptied(app), emptied(copy)]);
      },
    );
    await fc.assert(property, { numRuns: runs, interruptAfterTimeLimit: runs * SHRINK_MS, ...seed });
    expect(outcomes.applied, JSON.stringify(outcomes)).toBeGreaterThan(0);
  },
  runs * 3_000,
);
