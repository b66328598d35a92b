import { type CompiledPolicy, compile } from "@ambit/policy";
import { LRUCache } from "lru-cache";
import type { Queryable } from "../../engines/postgres/database.ts";
import { isIntact } from "./document.ts";
import { policyErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { selectVersion, type VersionRow } from "./store.ts";

/**
 * Versions made ready, kept by policy and version: one that was compiled is never read again while it is used. Null when
 * there is no such version; throws GATEWAY_POLICY_BROKEN.
 */
export type ReadyVersions = (policyId: string, version: number) => Promise<CompiledPolicy | null>;

export function createReadyVersions(database: Queryable): ReadyVersions {
  const ready = new LRUCache<string, CompiledPolicy>({ maxSize: limits.readyChars });
  return async (policyId, version) => {
    const key = `${policyId}/${version}`;
    const known = ready.get(key);
    if (known !== undefined) return known;
    const row = await selectVersion(database, policyId, version);
    if (row === null) return null;
    const compiled = compiledFrom(row);
    ready.set(key, compiled, { size: row.document.length + key.length });
    return compiled;
  };
}

/** A stored document, ready; throws GATEWAY_POLICY_BROKEN for one that is not what was written, or not valid. */
function compiledFrom(row: VersionRow): CompiledPolicy {
  if (!isIntact(row)) throw policyErrors.GATEWAY_POLICY_BROKEN();
  try {
    return compile({ text: row.document });
  } catch (cause) {
    throw policyErrors.GATEWAY_POLICY_BROKEN({ cause });
  }
}
