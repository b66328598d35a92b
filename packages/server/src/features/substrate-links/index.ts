import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import { linkErrors } from "./errors.ts";
import { linkOperations } from "./operations.ts";
import { createSubstrateLinksService, type SubstrateLinksService } from "./service.ts";

/** Which apps use their organisation's substrate, and what of it they may read. */
export function createSubstrateLinks(platform: Platform): {
  feature: Feature;
  service: SubstrateLinksService;
} {
  const service = createSubstrateLinksService(platform);
  return {
    service,
    feature: { name: "substrate_links", operations: linkOperations(service), errors: linkErrors.entries },
  };
}
