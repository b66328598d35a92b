import type { Platform } from "../../engines/platform.ts";
import type { ApprovalsService } from "../approvals/service.ts";
import type { AppsService } from "../apps/service.ts";
import type { AuthService } from "../auth/service.ts";
import type { KeysService } from "../keys/service.ts";
import type { LedgerService } from "../ledger/service.ts";
import type { MemoryService } from "../memory/service.ts";
import type { OutboxService } from "../outbox/service.ts";
import type { SubstrateLinksService } from "../substrate-links/service.ts";
import type { Turns } from "./turns.ts";

/** The features the substrate stands on. */
export interface SubstrateDependencies {
  readonly ledger: LedgerService;
  readonly approvals: ApprovalsService;
  readonly memory: MemoryService;
  readonly outbox: OutboxService;
  readonly links: SubstrateLinksService;
  readonly keys: KeysService;
  readonly auth: AuthService;
  readonly apps: AppsService;
}

/** What every part of the substrate works with. */
export interface SubstrateContext extends SubstrateDependencies {
  readonly platform: Platform;
  readonly turns: Turns;
}

/** Where a person decides. */
export const approvalUrl = ({ publicUrl }: Pick<Platform, "publicUrl">, approvalId: string): string =>
  `${publicUrl()}/approve/${approvalId}`;

/** What an answer says of the approval it waits for. */
export const approvalFields = (platform: Pick<Platform, "publicUrl">, approvalId: string) => ({
  approval_id: approvalId,
  approval_url: approvalUrl(platform, approvalId),
});
