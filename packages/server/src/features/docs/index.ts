import { fileURLToPath } from "node:url";
import type { Platform } from "../../engines/platform.ts";
import { VERSION } from "../../kernel/config.ts";
import type { AnyOperation, Feature } from "../../kernel/operation.ts";
import { docsOperations, docsTools } from "./operations.ts";
import type { ErrorEntries } from "./reference.ts";
import { createDocsService, type DocsService } from "./service.ts";

const GUIDES = fileURLToPath(new URL("../../../../../docs/guides", import.meta.url));

/** What the documentation is made from; both are asked for when it is first read, so that they may include it. */
export interface DocsSources {
  operations(): readonly AnyOperation[];
  errors(): ErrorEntries;
  /** Routes that are no operations. */
  paths(): NonNullable<Feature["paths"]>;
}

/** The documentation: the docs tool, the OpenAPI document, and the pages for people and agents. */
export function createDocs(
  platform: Pick<Platform, "publicUrl">,
  sources: DocsSources,
): { feature: Feature; service: DocsService } {
  const service = createDocsService({
    operations: () => sources.operations(),
    errors: () => sources.errors(),
    paths: () => sources.paths(),
    publicUrl: () => platform.publicUrl(),
    version: VERSION,
    guidesDirectory: GUIDES,
  });
  return { service, feature: { name: "docs", operations: docsOperations(service), tools: docsTools } };
}
