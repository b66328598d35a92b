import type { JsonObject } from "../ledger/service.ts";
import type { MemoryReader } from "../memory/service.ts";
import type { SubstrateContext } from "./context.ts";
import type { ActionPreview } from "./types.ts";

type Deps = Pick<SubstrateContext, "memory" | "links">;

/** A preview without what its reader may not see: of such records only that they would change. */
export async function previewWithin(
  { memory }: Deps,
  reader: MemoryReader,
  seen: ActionPreview,
): Promise<ActionPreview> {
  if (reader.scope === null) return seen;
  const changes: JsonObject[] = [];
  for (const change of seen.changes) {
    const { id, kind, before } = change as { id: string; kind: string; before: JsonObject | null };
    const visible = before === null || (await memory.get(reader, id)) !== null;
    changes.push(visible ? change : { id, kind, hidden: true });
  }
  const result = changes.some(({ hidden }) => hidden === true) ? null : seen.result;
  return { ...seen, changes, result };
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
