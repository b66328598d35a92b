import type { Json, LedgerActor, LedgerDraft } from "../ledger/service.ts";
import { limits } from "./limits.ts";

/** A tool in the ledger: its name and the hashes of its definition, never the definition. */
export interface EnteredTool {
  readonly tool: string;
  readonly hash: string;
  /** What was approved before; null: nothing. */
  readonly approvedHash: string | null;
}

const SYSTEM: LedgerActor = { type: "system", id: null };

/**
 * What happened to tools of a server, for the ledger, in as many entries as it takes. `pinned`: approved by the first look;
 * `changed`: new or different, and waiting for a review; `restored`: again as approved; `approved`: by a person. Pure.
 */
export function toolEntries(
  what: "pinned" | "changed" | "restored" | "approved",
  server: { readonly id: string; readonly organizationId: string },
  tools: readonly EnteredTool[],
  actor: LedgerActor = SYSTEM,
): LedgerDraft[] {
  const drafts: LedgerDraft[] = [];
  // An entry also for a server that has no tools: that it was looked at is what counts.
  for (let first = 0; first === 0 || first < tools.length; first += limits.entryTools) {
    const some = tools.slice(first, first + limits.entryTools);
    drafts.push({
      kind: what === "pinned" ? "gateway.tools.pinned" : `gateway.tool.${what}`,
      organizationId: server.organizationId,
      actor,
      subject: server.id,
      data: { server_id: server.id, count: tools.length, tools: some.map(entered) },
    });
  }
  return drafts;
}

const entered = ({ tool, hash, approvedHash }: EnteredTool): Json => ({
  tool,
  hash,
  approved_hash: approvedHash,
});
