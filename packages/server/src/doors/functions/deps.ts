import type { FunctionsService } from "../../features/functions/service.ts";
import type { RuntimeService } from "../../features/runtime/service.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { ResolvePrincipal } from "../principal.ts";

export interface FunctionDoorDeps {
  readonly functions: FunctionsService;
  readonly runtime: RuntimeService;
  readonly resolvePrincipal: ResolvePrincipal;
  readonly clock: Clock;
  readonly log: Log;
  readonly baseDomain: string;
  /** How many proxies in front may be believed about the caller's address. */
  readonly trustedProxies: number;
  publicUrl(): string;
}
