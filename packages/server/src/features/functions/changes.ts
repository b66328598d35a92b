import type { Platform } from "../../engines/platform.ts";
import type { Queryable } from "../../engines/postgres/database.ts";
import { CanaryError } from "../../engines/workerd/types.ts";
import { createSerial } from "../../kernel/serial.ts";
import type { AppsService } from "../apps/service.ts";
import { type RuntimeService, startProblem } from "../runtime/service.ts";
import type { Catalogue } from "./catalogue.ts";
import { functionErrors } from "./errors.ts";
import { buildProgram, type ProgramParts, programKey, readParts, revisionOf } from "./program.ts";
import * as store from "./store.ts";

/** A change of an app's functions, planned on what is there. */
export interface Plan<T> {
  readonly result: T;
  /** The functions and code as they will be; null for a change that leaves the program as it is. */
  readonly parts: Pick<ProgramParts, "functions" | "code"> | null;
  write(tx: Queryable): Promise<void>;
  /** Puts back what `write` did, when the new program does not start after all. */
  undo(tx: Queryable): Promise<void>;
  /** The source map of a function that is being deployed, by name; for others the stored one is read. */
  readonly sourceMaps?: ReadonlyMap<string, string>;
}

export interface ChangesDeps {
  readonly apps: AppsService;
  readonly runtime: RuntimeService;
  readonly catalogue: Catalogue;
}

/** How often a plan is made anew because another node changed the app's functions meanwhile. */
const TRIES = 4;

export type ChangeFunctions = <T>(
  appId: string,
  plan: (parts: ProgramParts) => Promise<Plan<T>>,
) => Promise<T>;

/**
 * Changes an app's functions: tried on an empty process, written, swapped in; put back when the swap fails, so that a
 * bad change costs nothing. One change of an app at a time on this node; of two on different nodes one begins anew.
 */
export function createChanges(platform: Platform, deps: ChangesDeps): ChangeFunctions {
  const serial = createSerial();
  return (appId, plan) => serial(appId, () => changeOnce(platform, deps, appId, plan));
}

async function changeOnce<T>(
  platform: Platform,
  deps: ChangesDeps,
  appId: string,
  plan: (parts: ProgramParts) => Promise<Plan<T>>,
): Promise<T> {
  const { database } = platform;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const present = await readParts(platform, deps, appId);
    const planned = await plan(present);
    if (planned.parts !== null) await tryOut(platform, deps.runtime, present, planned);
    const builds = planned.parts !== null;
    const written = await database.transaction(async (tx) => {
      const next = await store.advanceRevision(tx, appId, present.at.revision, builds);
      if (next !== null) await planned.write(tx);
      return next;
    });
    if (written === null) continue;
    deps.catalogue.forget();
    try {
      if (builds) await bringUp(deps, appId, revisionOf(written, present.config), planned.parts);
    } catch (error) {
      await database.transaction(async (tx) => {
        if (await store.advanceRevision(tx, appId, written.revision, true)) await planned.undo(tx);
      });
      deps.catalogue.forget();
      throw await explain(platform, appId, planned, error);
    }
    return planned.result;
  }
  throw functionErrors.FUNCTION_CHANGED();
}

async function tryOut<T>(
  platform: Platform,
  runtime: RuntimeService,
  present: ProgramParts,
  planned: Plan<T>,
): Promise<void> {
  const candidate = buildProgram(platform, { ...present, ...planned.parts });
  if (candidate === null) return;
  try {
    await runtime.engine.check(candidate);
  } catch (error) {
    throw await explain(platform, present.config.id, planned, error);
  }
}

async function bringUp(
  { catalogue, runtime }: ChangesDeps,
  appId: string,
  revision: string,
  parts: Plan<unknown>["parts"],
): Promise<void> {
  if (parts !== null && parts.functions.length === 0) {
    await runtime.engine.remove(programKey(appId), { destroy: false });
  } else await catalogue.refresh(appId, revision);
}

/** A program that does not start, told in lines of the TypeScript. */
async function explain(
  { database }: Platform,
  appId: string,
  { sourceMaps }: Plan<unknown>,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof CanaryError)) return error;
  const mapOf = async (name: string) => sourceMaps?.get(name) ?? (await storedMap(database, appId, name));
  const { unit, text, line, column } = await startProblem(error, mapOf);
  return functionErrors.VALIDATION_ERROR({
    message: `The function does not start. ${text}`,
    remediation:
      "Code outside of the handler runs once at the start and may not throw, wait or reach the network; the version before goes on serving.",
    details: { reason: "START_FAILED", function: unit, line, column },
    cause: error,
  });
}

/** The source map of what a function runs now; null without the function. */
export async function storedMap(db: Queryable, appId: string, name: string): Promise<string | null> {
  const row = await store.selectFunction(db, appId, name);
  const version = row === null ? null : await store.selectVersion(db, row.id, row.version);
  return version?.source_map ?? null;
}
