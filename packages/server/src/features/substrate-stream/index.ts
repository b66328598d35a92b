import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import { streamErrors } from "./errors.ts";
import { streamOperations } from "./operations.ts";
import { createStreamService, type StreamDeps, type SubstrateStreamService } from "./service.ts";

/** Live changes of the substrate. To be made before realtime, whose reading of the log it shares, is started. */
export function createSubstrateStream(
  platform: Platform,
  deps: StreamDeps,
): { feature: Feature; service: SubstrateStreamService } {
  const { service, start, stop } = createStreamService(platform, deps);
  const feature: Feature = {
    name: "substrate-stream",
    operations: streamOperations(service),
    errors: streamErrors.entries,
    start,
    stop,
  };
  return { feature, service };
}
