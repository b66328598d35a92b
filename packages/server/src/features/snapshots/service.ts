import type { JsonObject } from "../ledger/service.ts";

export interface SnapshotsService {
  /** Today's counts of an organisation, taken now when there are none yet; what attention rules look at. */
  today(organizationId: string, nowMs: number): Promise<JsonObject>;
}
