import type { Platform } from "../../engines/platform.ts";
import type { Plan } from "./changes.ts";
import { sealEnv } from "./env.ts";
import { functionErrors } from "./errors.ts";
import type { ProgramParts } from "./program.ts";
import * as store from "./store.ts";

/** What may be changed of a function without deploying it. */
export interface SettingsOrder {
  readonly allowImpersonation?: boolean | undefined;
  readonly runAs?: "caller" | "service" | undefined;
  readonly timeoutMs?: number | undefined;
}

/** The function is gone for everyone; its row and versions stay as long as its logs. */
export function planDelete(parts: ProgramParts, name: string, now: Date): Plan<void> {
  const row = find(parts, name);
  return {
    result: undefined,
    parts: { ...parts, functions: parts.functions.filter(({ id }) => id !== row.id) },
    write: (tx) => store.updateFunction(tx, row.id, { deleted_at: now, updated_at: now }),
    undo: (tx) => store.updateFunction(tx, row.id, { deleted_at: null }),
  };
}

export function planEnv(
  { secrets, clock }: Platform,
  parts: ProgramParts,
  name: string,
  changes: Readonly<Record<string, string | null>>,
): Plan<void> {
  const row = find(parts, name);
  const env = sealEnv(secrets, row.id, row.env, changes);
  return {
    result: undefined,
    parts: replace(parts, { ...row, env }),
    write: (tx) => store.updateFunction(tx, row.id, { env, updated_at: new Date(clock()) }),
    undo: (tx) => store.updateFunction(tx, row.id, { env: row.env }),
  };
}

/** Settings are read at each call: the program stays as it is. */
export function planSettings(
  parts: ProgramParts,
  name: string,
  settings: SettingsOrder,
  now: Date,
): Plan<void> {
  const row = find(parts, name);
  const patch = {
    allow_service_key_impersonation: settings.allowImpersonation ?? row.allow_service_key_impersonation,
    run_as: settings.runAs ?? row.run_as,
    timeout_ms: settings.timeoutMs ?? row.timeout_ms,
  };
  return {
    result: undefined,
    parts: null,
    write: (tx) => store.updateFunction(tx, row.id, { ...patch, updated_at: now }),
    undo: (tx) =>
      store.updateFunction(tx, row.id, {
        allow_service_key_impersonation: row.allow_service_key_impersonation,
        run_as: row.run_as,
        timeout_ms: row.timeout_ms,
      }),
  };
}

/** Brings the code of a former version back; environment, triggers and settings stay. */
export async function planRollback(
  { database, clock }: Platform,
  parts: ProgramParts,
  name: string,
  version: number,
): Promise<Plan<void>> {
  const row = find(parts, name);
  const wanted = await store.selectVersion(database, row.id, version);
  if (wanted === null) throw functionErrors.FUNCTION_VERSION_NOT_FOUND();
  const { compiled, entry, source_map } = wanted;
  const now = new Date(clock());
  return {
    result: undefined,
    parts: {
      functions: parts.functions,
      code: new Map([...parts.code, [row.id, { compiled, entry }]]),
    },
    sourceMaps: new Map([[name, source_map]]),
    write: (tx) => store.updateFunction(tx, row.id, { version, deployed_at: now, updated_at: now }),
    undo: (tx) => store.updateFunction(tx, row.id, { version: row.version, deployed_at: row.deployed_at }),
  };
}

function find(parts: ProgramParts, name: string): store.FunctionRow {
  const row = parts.functions.find((each) => each.name === name);
  if (row === undefined) throw functionErrors.FUNCTION_NOT_FOUND({ details: { function: name } });
  return row;
}

const replace = (parts: ProgramParts, row: store.FunctionRow): Plan<void>["parts"] => ({
  code: parts.code,
  functions: parts.functions.map((each) => (each.id === row.id ? row : each)),
});
