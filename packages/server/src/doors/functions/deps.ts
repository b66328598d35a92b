import type { IncomingMessage } from "node:http";
import type { FunctionsService } from "../../features/functions/service.ts";
import type { RuntimeService } from "../../features/runtime/service.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { ResolvePrincipal } from "../principal.ts";
import { clientAddress } from "../websocket/handshake.ts";

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

export function addressOf(request: IncomingMessage, { trustedProxies }: FunctionDoorDeps): string {
  const remote = request.socket.remoteAddress ?? "";
  if (trustedProxies === 0) return remote;
  const forwardedFor = request.headers["x-forwarded-for"];
  return clientAddress(
    remote,
    Array.isArray(forwardedFor) ? forwardedFor.join(",") : forwardedFor,
    trustedProxies,
  );
}
