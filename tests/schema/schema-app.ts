import { expect } from "vitest";
import type { Answer, Api } from "../support/api.ts";
import { must, newApp } from "../support/app.ts";

/** A schema document, as clients send it. */
export type Document = Record<string, any>;

/** An app seen through its schema routes alone. */
export interface SchemaApp {
  readonly id: string;
  apply(document: unknown, rest?: object): Promise<Answer>;
  dryRun(document: unknown): Promise<Answer>;
  /** The schema as the server shows it. */
  fetch(): Promise<Document>;
  history(): Promise<{ id: string; description: string; applied_sql: string; applied_at: string }[]>;
  rows(table: string): Promise<any[]>;
  insert(table: string, row: object): Promise<Answer>;
}

/** An app of its own for one test. */
export async function schemaApp(owner: Api): Promise<SchemaApp> {
  const id = await newApp(owner);
  return {
    id,
    apply: (schema, rest = {}) => owner("POST", `/v1/${id}/schema/apply`, { schema, ...rest }),
    dryRun: (schema) => owner("POST", `/v1/${id}/schema/apply`, { schema, dry_run: true }),
    fetch: async () => must(await owner("GET", `/v1/${id}/schema`)).schema,
    history: async () => must(await owner("GET", `/v1/${id}/migrations`)).migrations,
    rows: async (table) => must(await owner("GET", `/v1/${id}/${table}`)),
    insert: (table, row) => owner("POST", `/v1/${id}/${table}`, row),
  };
}

/** Expects an apply to say that nothing is left to do. */
export function expectNothingToDo(answer: Answer): void {
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  expect(answer.body).toMatchObject({ applied: 0, statements: [], message: "Schema is up to date" });
  expect(answer.body.migration_id).toBeUndefined();
}

/**
 * Applies a document and expects it to stay put: what the server shows changes nothing when it comes back, neither
 * does the document itself, and the shown one makes the same schema in an empty app. Resolves to the shown one.
 */
export async function expectStable(app: SchemaApp, empty: SchemaApp, document: Document): Promise<Document> {
  const applied = await app.apply(document);
  expect(applied.status, JSON.stringify(applied.body)).toBe(200);
  const shown = await app.fetch();
  expectNothingToDo(await app.apply(shown));
  expectNothingToDo(await app.apply(document));
  must(await empty.apply(shown));
  expect(await empty.fetch()).toEqual(shown);
  return shown;
}

export const codeOf = (answer: Answer): string | undefined => answer.body?.error?.code;
