import type { Platform } from "../../engines/platform.ts";
import type { ApprovalsService } from "../approvals/service.ts";
import type { ArgumentSeal } from "../gateway-decisions/service.ts";
import type { GatewayQuotasService } from "../gateway-quotas/service.ts";
import type { LedgerService } from "../ledger/service.ts";
import type { HoldFacts } from "./state.ts";
import type { HoldRow } from "./store.ts";
import type { JudgeNow } from "./types.ts";

export interface GatewayHoldsDeps {
  readonly approvals: ApprovalsService;
  readonly ledger: LedgerService;
  readonly quotas: GatewayQuotasService;
}

/** What the parts of this feature share. */
export interface HoldsContext extends GatewayHoldsDeps {
  readonly platform: Platform;
  /** Calls this node runs, by hold, and since when (milliseconds since the epoch). */
  readonly running: Map<string, number>;
  readonly argumentSeal: ArgumentSeal;
  judge: JudgeNow | null;
  count(event: string): void;
}

/** Seals a text of a hold to its id. */
export const sealText = ({ platform }: HoldsContext, id: string, text: string): string =>
  platform.secrets.seal("gateway-hold", text, id);

const openText = ({ platform }: HoldsContext, id: string, sealed: string | null): string | null =>
  sealed === null ? null : platform.secrets.open("gateway-hold", sealed, id);

/** A row with its texts opened. */
export const factsOf = (context: HoldsContext, row: HoldRow): HoldFacts => ({
  id: row.id,
  approvalId: row.approval_id,
  status: row.status,
  expiresAtMs: row.expires_at.getTime(),
  approvedUntilMs: row.approved_until?.getTime() ?? null,
  runningSinceMs: row.running_since?.getTime() ?? null,
  runningUntilMs: row.running_until?.getTime() ?? null,
  endedAtMs: row.ended_at?.getTime() ?? null,
  told: row.told_at !== null,
  reason: openText(context, row.id, row.reason),
  result: openText(context, row.id, row.result),
});
