import type { LedgerDraft } from "../ledger/service.ts";
import type { HoldRow } from "./store.ts";

const SYSTEM: LedgerDraft["actor"] = { type: "system", id: null };

/**
 * What the ledger keeps of a held call beyond what the decision log and the inbox say of it. About the approval, so that
 * one subject tells the whole story. Pure.
 */
export const entries = {
  /** Its repetition ran upstream. */
  executed: (hold: HoldRow): LedgerDraft => draft("executed", hold, { type: "grant", id: hold.grant_id }),
  /** It was running when its node died: it may have run. */
  unknown: (hold: HoldRow): LedgerDraft => draft("unknown", hold, SYSTEM),
  /** It was approved, and never repeated in time. */
  lapsed: (hold: HoldRow): LedgerDraft => draft("lapsed", hold, SYSTEM),
  /** Its grant or its server went away. */
  cancelled: (hold: HoldRow): LedgerDraft => draft("cancelled", hold, SYSTEM),
} as const;

const draft = (what: string, hold: HoldRow, actor: LedgerDraft["actor"]): LedgerDraft => ({
  kind: `gateway.${what}`,
  organizationId: hold.organization_id,
  actor,
  subject: hold.approval_id,
  data: {
    hold: hold.id,
    grant: hold.grant_id,
    server: hold.server_id,
    tool: hold.tool,
    policy: hold.policy_id,
    policy_version: hold.policy_version,
    rule: hold.rule,
  },
});
