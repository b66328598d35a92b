import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import type { SchemaService } from "../schema/service.ts";
import { dataErrors } from "./errors.ts";
import { dataPaths } from "./openapi.ts";
import { dataOperations } from "./operations.ts";
import { createDataService, type DataService } from "./service.ts";

/** Rows of apps: the data API and `run_sql`. */
export function createData(
  platform: Platform,
  { schema }: { schema: SchemaService },
): { feature: Feature; service: DataService } {
  const service = createDataService(platform, schema);
  return {
    service,
    feature: {
      name: "data",
      operations: dataOperations(service),
      errors: dataErrors.entries,
      paths: dataPaths,
    },
  };
}
