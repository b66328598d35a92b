import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import type { SubstrateLinksService } from "../substrate-links/service.ts";
import { exportErrors } from "./errors.ts";
import { exportOperations } from "./operations.ts";
import { createSubstrateExportService, type SubstrateExportService } from "./service.ts";

/** Everything an organisation has in its substrate, in one file. */
export function createSubstrateExport(
  platform: Platform,
  { links }: { readonly links: Pick<SubstrateLinksService, "readerOf"> },
): { feature: Feature; service: SubstrateExportService } {
  const service = createSubstrateExportService(platform);
  return {
    service,
    feature: {
      name: "substrate-export",
      operations: exportOperations(service, links),
      errors: exportErrors.entries,
    },
  };
}
