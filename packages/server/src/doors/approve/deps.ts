import type { ApprovalsService } from "../../features/approvals/service.ts";
import type { KeysService } from "../../features/keys/service.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { Secrets } from "../../kernel/secrets.ts";
import type { ResolvePrincipal } from "../principal.ts";

/** What the page needs of the rest. */
export interface ApprovePageDeps {
  readonly approvals: ApprovalsService;
  readonly keys: Pick<KeysService, "byId">;
  readonly resolvePrincipal: ResolvePrincipal;
  readonly secrets: Secrets;
  readonly clock: Clock;
  readonly log: Log;
  publicUrl(): string;
}
