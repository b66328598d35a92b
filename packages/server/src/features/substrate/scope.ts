import { AmbitError } from "../../kernel/errors.ts";
import type { JsonObject } from "../ledger/service.ts";
import type { MemoryReader, MemoryRecord, ReadScope } from "../memory/service.ts";
import type { SubstrateContext } from "./context.ts";
import type { ActionPreview } from "./types.ts";

type Deps = Pick<SubstrateContext, "memory" | "links">;

/** What a change of a preview tells of its record. */
type Seen = Pick<MemoryRecord, "id" | "kind"> & {
  readonly [state in "before" | "after"]: MemoryRecord | null;
};

/**
 * A preview without what its reader may not see. When one such record is among those that would change, only the ids of
 * all of them are told: values go from one record to another, e.g. when entities are merged.
 */
export async function previewWithin(
  { memory }: Deps,
  reader: MemoryReader,
  seen: ActionPreview,
): Promise<ActionPreview> {
  if (!narrows(reader.scope)) return seen;
  const problem = seen.problem === null ? null : problemWithin(seen.problem);
  for (const change of seen.changes as unknown as readonly Seen[]) {
    if (await shows(memory, reader, change)) continue;
    const changes = seen.changes.map(({ id = null, kind = null }) => ({ id, kind, hidden: true }));
    return { ...seen, problem, changes, result: null };
  }
  return { ...seen, problem };
}

const narrows = (scope: ReadScope | null): boolean =>
  scope !== null && [scope.kinds, scope.entityTypes, scope.ownOnly].some((each) => each !== undefined);

/** What is new is of the reader's own making; what comes back was perhaps never theirs to see. */
async function shows(memory: Deps["memory"], reader: MemoryReader, { id, before, after }: Seen) {
  return before === null ? after?.version === 1 : (await memory.get(reader, id)) !== null;
}

/** The words of these errors hold names of other records. */
const TELLING = new Map([["ENTITY_AMBIGUOUS", "The keys belong to different entities."]]);

/** Why something failed, for an app: without names of records it may not see. Pure. */
export const problemWithin = <P extends { readonly code: string; readonly message: string }>(
  problem: P,
): P => ({ ...problem, message: TELLING.get(problem.code) ?? problem.message });

/** An error for an app that may not see everything: without names of records it may not see. */
export async function errorWithin({ links }: Deps, appId: string | null, error: unknown): Promise<unknown> {
  if (appId === null || !(error instanceof AmbitError) || !TELLING.has(error.code)) return error;
  if ((await links.find(appId)) !== null && !narrows((await links.readerOfApp(appId)).scope)) return error;
  const { code, status, remediation } = error;
  return new AmbitError(code, { status, remediation, message: TELLING.get(code)! }, { cause: error });
}

/**
 * A result as an app may have it. Some capabilities answer what was there before; an app that may not see the record
 * would learn by writing what it can't read.
 */
export async function resultWithin(
  deps: Deps,
  appId: string | null,
  result: JsonObject,
): Promise<JsonObject> {
  const { before } = result;
  if (appId === null || before === null || before === undefined) return result;
  const id = typeof before === "object" && "id" in before ? before.id : null;
  return typeof id === "string" && (await appSees(deps, appId, id)) ? result : { ...result, before: null };
}

async function appSees({ memory, links }: Deps, appId: string, recordId: string): Promise<boolean> {
  // A link that was taken away since shows nothing any more.
  if ((await links.find(appId)) === null) return false;
  return (await memory.get(await links.readerOfApp(appId), recordId)) !== null;
}
