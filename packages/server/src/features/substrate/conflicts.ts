import { errors } from "../../kernel/errors.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import { decideAction } from "./actions.ts";
import {
  type ConflictFilter,
  type ConflictRow,
  type Resolution,
  resolveConflicts,
  selectConflicts,
} from "./conflict-store.ts";
import type { SubstrateContext } from "./context.ts";
import { substrateErrors } from "./errors.ts";

/** Conflicts between proposals and principles. */
export interface Conflicts {
  /** Newest first. */
  list(organizationId: string, filter: ConflictFilter): Promise<ConflictRow[]>;
  /** Throws RESOURCE_NOT_FOUND. */
  get(organizationId: string, id: string, appId: string | null): Promise<ConflictRow>;
  /**
   * A member settles one: `approve` and `reject` decide on the action, which settles all its conflicts; `dismiss` says
   * that this one is none, and leaves the action waiting. Throws RESOURCE_NOT_FOUND, wrong_status.
   */
  resolve(
    by: KeyPrincipal,
    id: string,
    how: { readonly resolution: Resolution; readonly reason: string | null },
    nowMs: number,
  ): Promise<ConflictRow>;
}

export function createConflicts(context: SubstrateContext): Conflicts {
  const { database } = context.platform;
  const get = async (organizationId: string, id: string, appId: string | null) => {
    const [row] = await selectConflicts(database, organizationId, {
      id,
      appId: appId ?? undefined,
      limit: 1,
    });
    if (row === undefined)
      throw errors.RESOURCE_NOT_FOUND({ message: `There is no conflict ${id.slice(0, 80)}.` });
    return row;
  };
  return {
    list: (organizationId, filter) => selectConflicts(database, organizationId, filter),
    get,
    async resolve(by, id, { resolution, reason }, nowMs) {
      const { organizationId } = by;
      const { status, action_id: actionId } = await get(organizationId, id, null);
      if (status === "open" && resolution !== "dismiss") {
        await decideAction(context, by, actionId, { decision: resolution, reason }, nowMs);
        return get(organizationId, id, null);
      }
      const how = { resolution, reason, by: by.accountId, at: new Date(nowMs) };
      const settled = await resolveConflicts(database, organizationId, { ids: [id] }, how);
      const row = await get(organizationId, id, null);
      if (settled > 0) return row;
      throw substrateErrors.wrong_status({
        message: `The conflict ${id} has been resolved already: ${row.resolution}.`,
        details: { conflict_id: id, status: row.status, resolution: row.resolution },
      });
    },
  };
}
