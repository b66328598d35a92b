import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import { schemaErrors } from "./errors.ts";
import { schemaOperations } from "./operations.ts";
import { createSchemaService, type SchemaService } from "./service.ts";

/** Declarative schemas: documents that say what an app's tables are to be. */
export function createSchema(platform: Platform): { feature: Feature; service: SchemaService } {
  const service = createSchemaService(platform);
  const feature: Feature = {
    name: "schema",
    operations: schemaOperations(platform, service),
    errors: schemaErrors.entries,
    tools: [
      {
        name: "manage_schema",
        title: "Manage the schema",
        description:
          "Reads and changes an app's tables by declaring what they are to be. get returns a document, apply brings the tables to one, dry_run shows the statements first, list_migrations is the history. apply can drop tables and columns, but only those the document names in _drop lists.",
      },
    ],
  };
  return { service, feature };
}
