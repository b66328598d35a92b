import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import type { MemoryService } from "../memory/service.ts";
import { snapshotOperations } from "./operations.ts";
import { createSnapshotsService, type SnapshotsService } from "./service.ts";

/** Daily counts of what each organisation knows. */
export function createSnapshots(
  platform: Platform,
  deps: { memory: Pick<MemoryService, "counts"> },
): { feature: Feature; service: SnapshotsService } {
  const service = createSnapshotsService(platform, deps);
  const feature: Feature = {
    name: "snapshots",
    operations: snapshotOperations(service),
    start: () => service.start(),
    stop: () => service.stop(),
  };
  return { feature, service };
}
