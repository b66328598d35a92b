import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { errors } from "../../kernel/errors.ts";
import { rewriteUrl } from "../http/subdomain.ts";
import { refuseUpgrade } from "./refusal.ts";

/** A door for upgrade requests of some paths. */
export interface UpgradeLane {
  /** Whether the lane takes the request; `url` is canonical (see `rewriteUrl`). */
  matches(url: string): boolean;
  /** Answers the request, whatever happens. */
  handle(request: IncomingMessage, socket: Duplex, head: Buffer, url: string): void;
}

export interface UpgradesOptions {
  readonly lanes: readonly UpgradeLane[];
  readonly baseDomain: string;
  publicUrl(): string;
}

/** Hands every upgrade request to the lane that takes it; refuses it when none does. `close` stops that. */
export function attachUpgrades(server: Server, options: UpgradesOptions): { close(): void } {
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on("error", ignore);
    const url = rewriteUrl(request.url ?? "/", request.headers.host, options.baseDomain);
    const lane = options.lanes.find((candidate) => candidate.matches(url));
    if (lane === undefined) refuseUpgrade(socket, noSocketHere(), options.publicUrl());
    else lane.handle(request, socket, head, url);
  };
  server.on("upgrade", onUpgrade);
  return {
    close: () => void server.off("upgrade", onUpgrade),
  };
}

/** Kept here, so that no socket holds on to the request it came with. */
const ignore = (): void => {};

const noSocketHere = () =>
  errors.RESOURCE_NOT_FOUND({
    message: "There is no WebSocket at this path.",
    remediation:
      "Connect to /v1/<app_id>/realtime, /v1/<app_id>/do/<name>/<instance-id> or /v1/me/substrate/stream.",
  });
