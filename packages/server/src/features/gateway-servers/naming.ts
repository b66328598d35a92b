import type { Platform } from "../../engines/platform.ts";
import { BUILTIN, builtinFaceOf, builtinIdOf } from "./builtin.ts";
import { type Entry, noServer, type Registry } from "./registry.ts";
import { insertBuiltin } from "./store.ts";
import type { BuiltinFace } from "./types.ts";

/** Finds servers by what callers name them. */
export interface Naming {
  /** By UUID, `ambit` or `ambit-verbs`. Throws RESOURCE_NOT_FOUND for a server that is not the organisation's. */
  named(organizationId: string, reference: string): Promise<Entry>;
  /** Makes it when it is first asked for. Throws RESOURCE_NOT_FOUND when there is no such organisation. */
  builtin(organizationId: string, face?: BuiltinFace): Promise<Entry>;
}

export function createNaming(
  { database, clock }: Pick<Platform, "database" | "clock">,
  registry: Registry,
): Naming {
  const builtin = async (organizationId: string, face: BuiltinFace = "merged"): Promise<Entry> => {
    const id = builtinIdOf(organizationId, face);
    const entry = await registry.find(id);
    if (entry !== null) return entry;
    const server = { id, organization_id: organizationId, name: BUILTIN[face] };
    await insertBuiltin(database, server, new Date(clock()));
    const made = await registry.refresh(id);
    if (made === null) throw noServer(BUILTIN[face]);
    return made;
  };
  return {
    builtin,
    async named(organizationId, reference) {
      const face = builtinFaceOf(organizationId, reference);
      if (face !== null) return builtin(organizationId, face);
      const entry = await registry.find(reference);
      if (entry === null || entry.row.organization_id !== organizationId) throw noServer(reference);
      return entry;
    },
  };
}
