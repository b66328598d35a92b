import type { Readable } from "node:stream";
import pg from "pg";
import type { Platform } from "../../engines/platform.ts";
import { VERSION } from "../../kernel/config.ts";
import { createExportStreams } from "../../kernel/export-streams.ts";
import { exportErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { exportLines, inChunks } from "./lines.ts";
import { exportedRows } from "./store.ts";

export interface SubstrateExportService {
  /**
   * Everything an organisation has in its substrate as lines of JSON, out of one snapshot. The database is read as the
   * stream is; a reader that stops reading is given up after a minute. A stream that fails ends without its last line.
   * Throws EXPORT_BUSY.
   */
  export(organizationId: string): Readable;
}

/** `stallMs`: how long a reader may take for one piece. */
export function createSubstrateExportService(
  platform: Platform,
  stallMs: number = limits.stallMs,
): SubstrateExportService {
  const open = createExportStreams(platform, {
    ...{ name: "substrate_export", atOnce: limits.atOnce, totalMs: limits.totalMs, stallMs },
    chunkChars: limits.chunkChars,
    busy: () => exportErrors.EXPORT_BUSY({ headers: { "Retry-After": "30" } }),
  });
  return {
    export: (organizationId) => open(() => inChunks(linesOf(platform, organizationId), limits.chunkChars)),
  };
}

/** The lines of an export, over a connection of its own: a slow reader must not hold one that others wait for. */
async function* linesOf({ database, clock }: Platform, organizationId: string): AsyncGenerator<string> {
  const client = new pg.Client({
    ...database.target,
    application_name: "ambit export",
    connectionTimeoutMillis: limits.connectMs,
  });
  client.on("error", () => {}); // the statement under way fails by itself
  try {
    await client.connect();
    const exportedAt = new Date(clock()).toISOString();
    yield* exportLines(
      { organizationId, exportedAt, version: VERSION },
      exportedRows(client, organizationId),
    );
  } finally {
    await client.end().catch(() => {});
  }
}
